//! Paths into JSON documents: `$.a.b[0]`, `$['a b']`, `@.price`, and `[*]` for every element.

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `$`: the document.
    Document,
    /// `@`: the element that `each` names.
    Element,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `.name`, `['name']` or `["name"]`.
    Key(String),
    /// `[n]`, from 0.
    Index(usize),
    /// `[*]`.
    Every,
}

/// A path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// Where it starts.
    pub root: Root,
    /// Its steps.
    pub steps: Vec<Step>,
}

impl JsonPath {
    /// The path of one key.
    pub fn of_key(root: Root, key: &str) -> JsonPath {
        JsonPath { root, steps: vec![Step::Key(key.to_owned())] }
    }

    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        let root = match text.chars().next() {
            Some('$') => Root::Document,
            Some('@') => Root::Element,
            _ => return Err(format!("a path starts with `$` (or with `@` beside `each`): \"$.{text}\"")),
        };
        let mut steps = Vec::new();
        let mut rest = &text[1..];
        while !rest.is_empty() {
            let (step, behind) = match rest.strip_prefix('.') {
                Some(behind) => named(behind)?,
                None => bracketed(rest)?,
            };
            steps.push(step);
            rest = behind;
        }
        Ok(JsonPath { root, steps })
    }
}

fn named(text: &str) -> Result<(Step, &str), String> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    if end == 0 {
        return Err("a name is missing behind `.`".to_owned());
    }
    Ok((Step::Key(text[..end].to_owned()), &text[end..]))
}

fn bracketed(text: &str) -> Result<(Step, &str), String> {
    let Some(inside) = text.strip_prefix('[') else {
        return Err(format!("`.` or `[` is expected before `{text}`"));
    };
    for quote in ['\'', '"'] {
        if let Some(behind) = inside.strip_prefix(quote) {
            let closing = format!("{quote}]");
            let end = behind.find(&closing).ok_or_else(|| format!("`{closing}` is missing"))?;
            return Ok((Step::Key(behind[..end].to_owned()), &behind[end + 2..]));
        }
    }
    let end = inside.find(']').ok_or("`]` is missing")?;
    let step = match &inside[..end] {
        "*" => Step::Every,
        number => Step::Index(
            number.parse().map_err(|_| format!("`{number}` is no index; a name in brackets stands in quotes"))?,
        ),
    };
    Ok((step, &inside[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_or_refused_with_a_reason() {
        let steps = |text: &str| JsonPath::parse(text).unwrap().steps;
        assert_eq!(steps("$"), []);
        assert_eq!(steps("$.a[2]['b.c']"), [Step::Key("a".into()), Step::Index(2), Step::Key("b.c".into())]);
        assert_eq!(JsonPath::parse("@.x").unwrap().root, Root::Element);
        assert_eq!(steps("$.data[*]"), [Step::Key("data".into()), Step::Every]);
        for wrong in ["", "a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$['a", "$[-1]"] {
            assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
        }
    }
}
