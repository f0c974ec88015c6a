//! JSON, driven by the paths that are wanted: one pass over the bytes that checks RFC 8259's grammar, notes where the
//! wanted values lie and builds nothing.
//!
//! 1. The paths form a tree of keys and indexes; the scanner walks document and tree together, and a value outside the
//!    tree is only checked.
//! 2. The keys of an object are compared with the wanted ones beginning behind the last that was found: documents of one
//!    source have their keys in one order, so that most comparisons hit.
//! 3. With `each`, the array's place is noted like any other value; its elements are then scanned one at a time against
//!    the tree of `@` paths.
//!
//! Of a key that stands twice in an object the later counts. Strings are checked for UTF-8 where they are used.

use super::json_path::{JsonPath, Root, Step};
use super::number::leading_digits;
use super::scan::string_stop;
use super::{Cell, CellKind, RecordFault};

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 128;

/// Finds the values of paths in JSON documents.
#[derive(Clone, Debug)]
pub struct JsonSplitter {
    document: Vec<Node>,
    element: Vec<Node>,
    each: Option<usize>,
    paths: usize,
}

/// A value that is wanted or leads to one; the root is node 0 of a tree.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Cells of this value.
    cells: Vec<usize>,
    /// Keys and the nodes of their values.
    keys: Vec<(Key, usize)>,
    /// Indexes and the nodes of their values.
    items: Vec<(usize, usize)>,
    /// Cells of values inside this one: absent until they are found, also where the value comes a second time.
    below: Vec<usize>,
}

/// A key as it is looked for.
#[derive(Clone, Debug)]
struct Key {
    name: Box<str>,
    /// With its quotes, as it stands in a document that escapes nothing in it.
    quoted: Box<[u8]>,
    /// The first eight bytes of that, and which of them count.
    head: u64,
    mask: u64,
}

impl Key {
    fn new(name: &str) -> Key {
        let quoted: Box<[u8]> = format!("\"{name}\"").into_bytes().into();
        let mut head = [0; 8];
        let len = quoted.len().min(8);
        head[..len].copy_from_slice(&quoted[..len]);
        // A quote, a backslash or a control character stands in no document as it is.
        let never = name.bytes().any(|b| b == b'"' || b == b'\\' || b < 0x20);
        let mask = if never { 0 } else { u64::MAX >> (64 - 8 * len) };
        Key { name: name.into(), quoted, head: if never { 1 } else { u64::from_le_bytes(head) }, mask }
    }

    /// Bytes of this key with its quotes, if `bytes` begin with it.
    #[inline(always)]
    fn at_start_of(&self, bytes: &[u8]) -> Option<usize> {
        let start = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
        let len = self.quoted.len();
        let same = start & self.mask == self.head && (len <= 8 || bytes.get(8..len) == Some(&self.quoted[8..]));
        same.then_some(len)
    }
}

impl JsonSplitter {
    /// A splitter; cell n is the value of `paths[n]`, none of which holds [`Step::Every`]. With `each`, the steps to an
    /// array whose elements `@` paths start from.
    pub fn new(paths: &[JsonPath], each: Option<&[Step]>) -> JsonSplitter {
        let mut splitter = JsonSplitter {
            document: vec![Node::default()],
            element: vec![Node::default()],
            each: each.map(|_| paths.len()),
            paths: paths.len(),
        };
        for (cell, path) in paths.iter().enumerate() {
            let tree = if path.root == Root::Document { &mut splitter.document } else { &mut splitter.element };
            grow(tree, &path.steps, cell);
        }
        if let Some(steps) = each {
            grow(&mut splitter.document, steps, paths.len());
        }
        splitter
    }

    /// How many cells it needs.
    pub fn cells(&self) -> usize {
        self.paths + usize::from(self.each.is_some())
    }

    /// Splits a document.
    ///
    /// # Errors
    /// It is not JSON, or not an object where a path starts with a key.
    #[inline]
    pub fn split(&self, line: &[u8], cells: &mut [Cell]) -> Result<(), RecordFault> {
        let mut scanner = Scanner { bytes: line, nodes: &self.document, cells };
        let start = scanner.blanks(0);
        let root = &self.document[0];
        if !root.keys.is_empty() && line.get(start) != Some(&b'{') {
            return Err(RecordFault::Json { at: start, expected: "an object" });
        }
        let end = scanner.value(start, Some(root), 0)?;
        let end = scanner.blanks(end);
        if end < line.len() {
            return Err(RecordFault::Json { at: end, expected: "the end of the line" });
        }
        Ok(())
    }

    /// Whether it makes several rows of a document.
    pub fn has_elements(&self) -> bool {
        self.each.is_some()
    }

    /// After [`JsonSplitter::split`]: the byte behind the bracket that opens the array of `each`; none where the array
    /// is absent.
    ///
    /// # Errors
    /// There is something else in its place.
    pub fn elements(&self, line: &[u8], cells: &[Cell]) -> Result<Option<usize>, RecordFault> {
        let Some(cell) = self.each.map(|each| cells[each]) else { return Ok(None) };
        match (cell.kind(), line.get(cell.start())) {
            (CellKind::Absent, _) => Ok(None),
            (CellKind::Nested, Some(b'[')) => Ok(Some(cell.start() + 1)),
            _ => Err(RecordFault::Json { at: cell.start(), expected: "an array for `each`" }),
        }
    }

    /// The next element of the array: its first byte, and the cells of `@` paths are filled in. `at` goes behind it.
    /// None at the array's end.
    ///
    /// # Errors
    /// It is not JSON (which [`JsonSplitter::split`] has already found out).
    pub fn element(&self, line: &[u8], at: &mut usize, cells: &mut [Cell]) -> Result<Option<usize>, RecordFault> {
        let mut scanner = Scanner { bytes: line, nodes: &self.element, cells };
        let start = scanner.blanks(*at);
        if line.get(start) == Some(&b']') {
            return Ok(None);
        }
        let end = scanner.value(start, Some(&self.element[0]), 1)?;
        let end = scanner.blanks(end);
        *at = if line.get(end) == Some(&b',') { end + 1 } else { end };
        Ok(Some(start))
    }
}

fn grow(tree: &mut Vec<Node>, steps: &[Step], cell: usize) {
    let mut at = 0;
    for step in steps {
        tree[at].below.push(cell);
        let known = match step {
            Step::Key(key) => tree[at].keys.iter().find(|(k, _)| *k.name == **key).map(|(_, n)| *n),
            Step::Index(index) => tree[at].items.iter().find(|(i, _)| i == index).map(|(_, n)| *n),
            Step::Every => None,
        };
        at = known.unwrap_or_else(|| {
            let new = tree.len();
            match step {
                Step::Key(key) => tree[at].keys.push((Key::new(key), new)),
                Step::Index(index) => tree[at].items.push((*index, new)),
                Step::Every => {}
            }
            tree.push(Node::default());
            new
        });
    }
    tree[at].cells.push(cell);
}

struct Scanner<'a, 'c> {
    bytes: &'a [u8],
    nodes: &'a [Node],
    cells: &'c mut [Cell],
}

type Scanned = Result<usize, RecordFault>;

impl<'a> Scanner<'a, '_> {
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        // Zero is no byte of JSON outside strings: the end needs no case of its own.
        self.bytes.get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn blanks(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r' | b'\n') {
            at += 1;
        }
        at
    }

    #[cold]
    fn fault(&self, at: usize, expected: &'static str) -> Scanned {
        Err(RecordFault::Json { at, expected })
    }

    #[inline(always)]
    fn note(&mut self, node: Option<&Node>, cell: Cell) {
        if let Some(node) = node {
            for &n in &node.cells {
                self.cells[n] = cell;
            }
        }
    }

    /// The value at `at`; the byte behind it.
    #[inline]
    fn value(&mut self, at: usize, node: Option<&'a Node>, depth: usize) -> Scanned {
        if let Some(node) = node {
            for &n in &node.below {
                self.cells[n] = Cell::default();
            }
        }
        match self.byte(at) {
            b'"' => {
                let (end, escaped) = self.string(at)?;
                let kind = if escaped { CellKind::Escaped } else { CellKind::Text };
                self.note(node, Cell::new(at + 1, end, kind));
                Ok(end + 1)
            }
            b'-' | b'0'..=b'9' => {
                let end = self.number(at)?;
                self.note(node, Cell::new(at, end, CellKind::Number));
                Ok(end)
            }
            opening @ (b'{' | b'[') => {
                if depth == DEPTH_MAX {
                    return self.fault(at, "less nesting (at most 128 levels)");
                }
                let end = if opening == b'{' { self.object(at, node, depth) } else { self.array(at, node, depth) }?;
                self.note(node, Cell::new(at, end, CellKind::Nested));
                Ok(end)
            }
            b't' => self.word(at, b"true", node, CellKind::Boolean),
            b'f' => self.word(at, b"false", node, CellKind::Boolean),
            b'n' => self.word(at, b"null", node, CellKind::Absent),
            _ => self.fault(at, "a value"),
        }
    }

    #[inline]
    fn word(&mut self, at: usize, word: &'static [u8], node: Option<&Node>, kind: CellKind) -> Scanned {
        if !self.bytes[at..].starts_with(word) {
            return self.fault(at, "a value");
        }
        self.note(node, Cell::new(at, at + word.len(), kind));
        Ok(at + word.len())
    }

    fn object(&mut self, at: usize, node: Option<&'a Node>, depth: usize) -> Scanned {
        let mut at = self.blanks(at + 1);
        if self.byte(at) == b'}' {
            return Ok(at + 1);
        }
        let mut guess = 0;
        loop {
            if self.byte(at) != b'"' {
                return self.fault(at, "a key in quotes");
            }
            let (end, child) = match node {
                Some(node) if !node.keys.is_empty() => self.key(node, at, &mut guess)?,
                _ => (self.string(at)?.0 + 1, None),
            };
            at = self.blanks(end);
            if self.byte(at) != b':' {
                return self.fault(at, "`:`");
            }
            at = self.blanks(at + 1);
            at = self.value(at, child, depth + 1)?;
            at = self.blanks(at);
            match self.byte(at) {
                b',' => at = self.blanks(at + 1),
                b'}' => return Ok(at + 1),
                _ => return self.fault(at, "`,` or `}`"),
            }
        }
    }

    /// The key that opens at `at`: the byte behind it, and the node of its value if that is wanted. The next of the
    /// wanted keys is compared before anything is known about this one.
    #[inline(always)]
    fn key(&self, node: &Node, at: usize, guess: &mut usize) -> Result<(usize, Option<&'a Node>), RecordFault> {
        if let Some((key, child)) = node.keys.get(*guess)
            && let Some(len) = key.at_start_of(&self.bytes[at..])
        {
            *guess += 1;
            return Ok((at + len, Some(&self.nodes[*child])));
        }
        let (end, escaped) = self.string(at)?;
        Ok((end + 1, self.child(node, at + 1, end, escaped, guess)))
    }

    #[inline(always)]
    fn child(&self, node: &Node, start: usize, end: usize, escaped: bool, guess: &mut usize) -> Option<&'a Node> {
        if escaped {
            let mut key = String::new();
            unescape(&self.bytes[start..end], &mut key)?;
            return node.keys.iter().find(|(k, _)| *k.name == *key).map(|(_, n)| &self.nodes[*n]);
        }
        let key = &self.bytes[start..end];
        let (before, behind) = node.keys.split_at(*guess);
        let found = behind.iter().position(|(k, _)| k.name.as_bytes() == key).map(|i| *guess + i);
        let found = found.or_else(|| before.iter().position(|(k, _)| k.name.as_bytes() == key))?;
        *guess = found + 1;
        Some(&self.nodes[node.keys[found].1])
    }

    fn array(&mut self, at: usize, node: Option<&'a Node>, depth: usize) -> Scanned {
        let mut at = self.blanks(at + 1);
        if self.byte(at) == b']' {
            return Ok(at + 1);
        }
        for index in 0.. {
            let item = node.and_then(|n| n.items.iter().find(|(i, _)| *i == index));
            at = self.value(at, item.map(|(_, n)| &self.nodes[*n]), depth + 1)?;
            at = self.blanks(at);
            match self.byte(at) {
                b',' => at = self.blanks(at + 1),
                b']' => return Ok(at + 1),
                _ => break,
            }
        }
        self.fault(at, "`,` or `]`")
    }

    /// The closing quote of the string that opens at `at`, and whether there are escapes in it.
    #[inline(always)]
    fn string(&self, at: usize) -> Result<(usize, bool), RecordFault> {
        match string_stop(self.bytes, at + 1) {
            Some(end) if self.bytes[end] == b'"' => Ok((end, false)),
            stop => self.escaped_string(stop),
        }
    }

    fn escaped_string(&self, mut stop: Option<usize>) -> Result<(usize, bool), RecordFault> {
        loop {
            let Some(at) = stop else {
                return Err(RecordFault::Json { at: self.bytes.len(), expected: "a closing quote" });
            };
            let next = match (self.bytes[at], self.byte(at + 1)) {
                (b'"', _) => return Ok((at, true)),
                (b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at + 2,
                (b'\\', b'u')
                    if self.bytes.get(at + 2..at + 6).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) =>
                {
                    at + 6
                }
                (b'\\', _) => return Err(RecordFault::Json { at, expected: "an escape of JSON" }),
                _ => return Err(RecordFault::Json { at, expected: "no control character in a string" }),
            };
            stop = string_stop(self.bytes, next);
        }
    }

    #[inline(always)]
    fn digits(&self, mut at: usize) -> usize {
        while let Some(word) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let digits = leading_digits(u64::from_le_bytes(*word));
            at += digits;
            if digits < 8 {
                return at;
            }
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    }

    #[inline]
    fn number(&self, at: usize) -> Scanned {
        let start = if self.byte(at) == b'-' { at + 1 } else { at };
        let mut end = if self.byte(start) == b'0' { start + 1 } else { self.digits(start) };
        if end == start {
            return self.fault(end, "a digit");
        }
        if self.byte(end) == b'.' {
            let decimals = end + 1;
            end = self.digits(decimals);
            if end == decimals {
                return self.fault(end, "a digit");
            }
        }
        if matches!(self.byte(end), b'e' | b'E') {
            let sign = end + 1;
            let exponent = if matches!(self.byte(sign), b'+' | b'-') { sign + 1 } else { sign };
            end = self.digits(exponent);
            if end == exponent {
                return self.fault(end, "a digit");
            }
        }
        Ok(end)
    }
}

/// The text of a JSON string with escapes; none where it is not UTF-8 or half of a surrogate pair.
pub(super) fn unescape(raw: &[u8], out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.push_str(std::str::from_utf8(&rest[..at]).ok()?);
        let code = *rest.get(at + 1)?;
        rest = &rest[at + 2..];
        out.push(match code {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut unit = hex4(rest)?;
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&unit) {
                    let low = hex4(rest.strip_prefix(b"\\u")?)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return None;
                    }
                    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    rest = &rest[6..];
                }
                char::from_u32(unit)?
            }
            other => other as char,
        });
    }
    out.push_str(std::str::from_utf8(rest).ok()?);
    Some(())
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.first_chunk::<4>()?;
    digits.iter().try_fold(0, |n, &b| Some(n * 16 + (b as char).to_digit(16)?))
}
