//! Printing problems in the look of rustc.

use super::{FileId, Problem, Severity, Span};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// The texts of all files that were read, by [`FileId`].
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<(String, String)>,
}

impl Sources {
    /// No files yet.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Remembers a file: its name as the user knows it, its text.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push((name.into(), text.into()));
        FileId(self.files.len() as u32 - 1)
    }

    /// Name of a file.
    pub fn name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].0
    }

    /// Text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].1
    }

    /// The problems as text for a terminal, an empty line after each; `color` adds ANSI escapes.
    pub fn render(&self, problems: &[Problem], color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        problems.iter().map(|p| self.one(p, &renderer) + "\n\n").collect()
    }

    fn one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(title(problem)).elements(self.snippets(problem));
        for hint in &problem.hints {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        renderer.render(&[group])
    }

    /// A snippet for each file that the problem has places in, that of its own place first.
    fn snippets<'a>(&'a self, problem: &'a Problem) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let mut snippets = Vec::new();
        let Some(own) = problem.span else { return snippets };
        let mut files = vec![own.file];
        files.extend(problem.others.iter().map(|(span, _)| span.file).filter(|f| *f != own.file));
        files.dedup();
        for file in files {
            let Some((name, text)) = self.files.get(file.0 as usize) else { continue };
            let mut snippet = Snippet::source(text.as_str()).path(name.as_str()).fold(true);
            if own.file == file {
                let annotation = AnnotationKind::Primary.span(within(text, own));
                let label = Some(problem.label.as_str()).filter(|l| !l.is_empty());
                snippet = snippet.annotation(annotation.label(label));
            }
            for (span, label) in problem.others.iter().filter(|(span, _)| span.file == file) {
                snippet = snippet.annotation(AnnotationKind::Context.span(within(text, *span)).label(label.as_str()));
            }
            snippets.push(snippet);
        }
        snippets
    }
}

/// The message, with the component that it belongs to unless it names that itself.
fn title(problem: &Problem) -> String {
    match &problem.component {
        Some(component) if !problem.message.contains(component.as_str()) => {
            format!("{} (in `{component}`)", problem.message)
        }
        _ => problem.message.clone(),
    }
}

/// The bytes of a span, kept inside the text and on boundaries of characters. A span over several lines (a table, a
/// long string) ends with its first line: what is wrong there is named in the message.
fn within(text: &str, span: Span) -> Range<usize> {
    let mut start = (span.start as usize).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = (span.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    if let Some(line) = text[start..end].find('\n').filter(|n| *n > 0) {
        end = start + line;
    }
    start..end
}
