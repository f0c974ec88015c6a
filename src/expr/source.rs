//! The text of an expression: its tokens, its syntax tree, and where things stand in it.

use super::ExprError;
use sqlparser::ast;
use sqlparser::ast::Spanned;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};
use std::ops::Range;

/// More tokens than anybody writes; bounds the depth of the tree.
const TOKENS_MAX: usize = 4_000;

/// A text with its tokens.
pub(crate) struct Source<'a> {
    text: &'a str,
    /// Byte at which each line begins.
    lines: Vec<usize>,
    /// Tokens that are not white space, with their bytes.
    tokens: Vec<(Range<usize>, Token)>,
    /// Where the word `symmetric` of a BETWEEN stood; sqlparser does not know it.
    symmetric: Vec<usize>,
}

/// An error with a place and no advice.
pub(crate) fn problem(range: Range<usize>, message: impl Into<String>) -> ExprError {
    ExprError { range, message: message.into(), label: String::new(), hint: None, warning: false }
}

impl<'a> Source<'a> {
    /// Parses one expression.
    ///
    /// # Errors
    /// What is wrong and where.
    pub(crate) fn parse(text: &'a str) -> Result<(Source<'a>, ast::Expr), ExprError> {
        Source::parse_as(text, |parser| parser.parse_expr())
    }

    /// Parses a list such as that of ORDER BY.
    ///
    /// # Errors
    /// What is wrong and where.
    pub(crate) fn parse_order(text: &'a str) -> Result<(Source<'a>, Vec<ast::OrderByExpr>), ExprError> {
        Source::parse_as(text, |parser| parser.parse_comma_separated(Parser::parse_order_by_expr))
    }

    fn parse_as<T>(
        text: &'a str,
        parse: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<(Source<'a>, T), ExprError> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut source = Source { text, lines, tokens: Vec::new(), symmetric: Vec::new() };
        if text.trim().is_empty() {
            return Err(problem(0..text.len(), "the expression is empty"));
        }
        let dialect = PostgreSqlDialect {};
        let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| {
            let at = source.byte(error.location);
            problem(at..source.char_end(at), lower_first(&error.message))
        })?;
        let tokens = source.take(tokens);
        if source.tokens.is_empty() {
            return Err(problem(0..text.len(), "the expression is empty"));
        }
        if source.tokens.len() > TOKENS_MAX {
            let mut error = problem(0..text.len(), "the expression is too long");
            error.hint = Some("split it into several columns, or put constants into a parameter list".to_owned());
            return Err(error);
        }
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let parsed = parse(&mut parser).map_err(|error| source.parse_error(error, &parser))?;
        match parser.peek_token() {
            TokenWithSpan { token: Token::EOF, .. } => Ok((source, parsed)),
            TokenWithSpan { token, span } => {
                if let Some(error) = source.open_case() {
                    return Err(error);
                }
                let mut error = problem(source.bytes(span), format!("unexpected `{token}` after the expression"));
                if matches!(token, Token::Word(ref word) if word.keyword == Keyword::AS) {
                    error.hint = Some("the name stands before the `=`: add.name = \"expression\"".to_owned());
                } else if token == Token::Eq {
                    error.hint = Some("comparisons do not chain; join them with `and`".to_owned());
                }
                Err(error)
            }
        }
    }

    /// Keeps the tokens with their bytes, and gives those for the parser, without `symmetric`.
    fn take(&mut self, tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
        let mut kept = Vec::with_capacity(tokens.len());
        let (mut after_between, mut after_side) = (false, false);
        for token in tokens {
            if matches!(token.token, Token::Whitespace(_)) {
                continue;
            }
            let range = self.bytes(token.span);
            let is_word = |wanted: &str| match &token.token {
                Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted),
                _ => false,
            };
            if after_between && (is_word("symmetric") || is_word("asymmetric")) {
                if is_word("symmetric") {
                    self.symmetric.push(range.start);
                }
                continue;
            }
            if after_side && is_word("from") {
                // `trim(leading from x)`: the parser wants the characters to be named.
                kept.push(TokenWithSpan::new(Token::SingleQuotedString(" ".to_owned()), token.span));
            }
            after_between = is_word("between");
            after_side = is_word("leading") || is_word("trailing") || is_word("both");
            self.tokens.push((range, token.token.clone()));
            kept.push(token);
        }
        kept
    }

    fn parse_error(&self, error: ParserError, parser: &Parser<'_>) -> ExprError {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                return problem(0..self.text.len(), "the expression is nested too deeply");
            }
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let (message, at) = match message.rsplit_once(" at Line: ") {
            Some((message, place)) => (message.to_owned(), location(place)),
            None => (message, None),
        };
        let span = parser.peek_token().span;
        let at = at.unwrap_or(span.start);
        let end = self.text.len();
        let range = match self.tokens.iter().find(|(range, _)| at.line > 0 && range.start == self.byte(at)) {
            Some((range, _)) => range.clone(),
            None => end..end,
        };
        if let Some(error) = self.open_case().filter(|_| message.starts_with("Expected: ")) {
            return error;
        }
        let message = match message.strip_prefix("Expected: ").and_then(|m| m.split_once(", found: ")) {
            Some((_, "EOF")) => "the expression ends too early".to_owned(),
            Some(("an expression", found)) => format!("an expression is missing before `{found}`"),
            Some((wanted, found)) => format!("expected {}, found `{found}`", lower_first(wanted)),
            None => lower_first(&message),
        };
        problem(range, message)
    }

    /// A `case` for which no `end` is left, the last one, as a problem.
    fn open_case(&self) -> Option<ExprError> {
        let mut open = Vec::new();
        for (range, token) in &self.tokens {
            match token {
                Token::Word(word) if word.keyword == Keyword::CASE => open.push(range.clone()),
                Token::Word(word) if word.keyword == Keyword::END => drop(open.pop()),
                _ => {}
            }
        }
        let mut error = problem(open.pop()?, "this `case` has no `end`");
        error.hint = Some("write `case when condition then value else other end`".to_owned());
        Some(error)
    }

    /// The byte of a location.
    fn byte(&self, at: Location) -> usize {
        let Some(start) = (at.line as usize).checked_sub(1).and_then(|line| self.lines.get(line)) else {
            return self.text.len();
        };
        let line = &self.text[*start..];
        let chars = (at.column as usize).saturating_sub(1);
        start + line.char_indices().nth(chars).map_or(line.len(), |(byte, _)| byte)
    }

    fn char_end(&self, at: usize) -> usize {
        at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    /// The bytes of a span; all of the text where it is empty.
    pub(crate) fn bytes(&self, span: Span) -> Range<usize> {
        if span.start.line == 0 {
            return 0..self.text.len();
        }
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }

    /// The bytes of a part of the syntax tree, with its parentheses closed.
    pub(crate) fn range(&self, part: &ast::Expr) -> Range<usize> {
        let range = self.bytes(part.span());
        let Some(first) = self.tokens.iter().position(|(r, _)| r.end > range.start) else { return range };
        let last = self.tokens.iter().rposition(|(r, _)| r.start < range.end).unwrap_or(first).max(first);
        use ast::Expr as E;
        match part {
            // Their spans are those of their operands.
            E::Nested(inner) => {
                let inner = self.range(inner);
                let before = self.tokens.iter().rev().find(|(r, _)| r.end <= inner.start);
                let after = self.tokens.iter().find(|(r, _)| r.start >= inner.end);
                before.map_or(inner.start, |(r, _)| r.start)..after.map_or(inner.end, |(r, _)| r.end)
            }
            E::Cast { kind: ast::CastKind::DoubleColon, expr: operand, .. } => {
                let operand = self.range(operand);
                let mut last = self.tokens.iter().rposition(|(r, _)| r.end <= operand.end).unwrap_or(last);
                if matches!(self.tokens.get(last + 1), Some((_, Token::DoubleColon))) {
                    last = (last + 2).min(self.tokens.len() - 1);
                }
                operand.start..self.tokens[last].0.end
            }
            E::Cast { .. } | E::Extract { .. } | E::Position { .. } | E::Substring { .. } | E::Trim { .. } => {
                self.enclosing(first, last)
            }
            E::Ceil { .. } | E::Floor { .. } => self.enclosing(first, last),
            _ => self.balance(first, last, matches!(part, E::Function(_))),
        }
    }

    /// The call whose parentheses these tokens stand in.
    fn enclosing(&self, first: usize, last: usize) -> Range<usize> {
        let mut depth = 0i32;
        let opening = self.tokens[..first].iter().rposition(|(_, token)| {
            depth += i32::from(close(token)) - i32::from(open(token));
            depth < 0
        });
        match opening {
            Some(at) if at > 0 => self.balance(at - 1, last.max(at), false),
            _ => self.balance(first, last, false),
        }
    }

    fn balance(&self, mut first: usize, mut last: usize, call: bool) -> Range<usize> {
        if call && first == last && self.tokens.get(last + 1).is_some_and(|(_, token)| open(token)) {
            last += 1;
        }
        let mut depth = 0i32;
        for (_, token) in &self.tokens[first..=last] {
            depth += i32::from(open(token)) - i32::from(close(token));
            if depth < 0 && first > 0 {
                // A parenthesis was opened before the part.
                let mut missing = 1;
                while missing > 0 && first > 0 {
                    first -= 1;
                    missing += i32::from(close(&self.tokens[first].1)) - i32::from(open(&self.tokens[first].1));
                }
                depth = 0;
            }
        }
        while depth > 0 && last + 1 < self.tokens.len() {
            last += 1;
            depth += i32::from(open(&self.tokens[last].1)) - i32::from(close(&self.tokens[last].1));
        }
        self.tokens[first].0.start..self.tokens[last].0.end
    }

    /// Whether the BETWEEN whose operand ends and whose lower bound begins there was written with SYMMETRIC.
    pub(crate) fn is_symmetric(&self, operand: &ast::Expr, low: &ast::Expr) -> bool {
        let (from, to) = (self.range(operand).end, self.range(low).start);
        self.symmetric.iter().any(|at| (from..=to).contains(at))
    }

    /// A piece of the text.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }
}

fn open(token: &Token) -> bool {
    matches!(token, Token::LParen | Token::LBracket)
}

fn close(token: &Token) -> bool {
    matches!(token, Token::RParen | Token::RBracket)
}

/// Reads `1, Column: 5`.
fn location(text: &str) -> Option<Location> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
