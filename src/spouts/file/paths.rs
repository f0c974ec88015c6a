//! Which files a `path` names.

use crate::component::{ComponentError, Options};
use crate::problem::{Problem, Span};
use std::path::{Path, PathBuf};

/// The paths and patterns of one option, relative to the folder of the file that names them.
pub(in crate::spouts) struct Patterns {
    patterns: Vec<Pattern>,
}

/// A path, which may be a pattern.
struct Pattern {
    written: String,
    path: PathBuf,
    span: Span,
}

impl Patterns {
    /// Reads the option; records what is wrong with it.
    pub(in crate::spouts) fn of(options: &Options<'_>, name: &str, folder: &Path) -> Option<Patterns> {
        let texts = options.texts(name)?;
        let mut patterns = Vec::new();
        let mut sound = true;
        for (text, node) in &texts {
            let pattern = Pattern { written: (*text).to_owned(), path: folder.join(text), span: node.span };
            if text.is_empty() {
                options.wrong(name, node, "a path");
                sound = false;
            } else if let Err(why) = pattern.glob() {
                options.problem(Problem::error(format!("`{name}` of `{}`: {why}", options.component)).at(node.span));
                sound = false;
            }
            patterns.push(pattern);
        }
        if texts.is_empty()
            && let Some(node) = options.node(name)
        {
            options.wrong(name, node, "at least one path");
            sound = false;
        }
        sound.then_some(Patterns { patterns })
    }

    /// All files, sorted by name, each once.
    ///
    /// # Errors
    /// A file is missing, is no file, or nothing matches a pattern.
    pub(in crate::spouts) fn files(&self) -> Result<Vec<String>, ComponentError> {
        let mut files = Vec::new();
        for pattern in &self.patterns {
            files.extend(pattern.files()?);
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Warns of files that are not there now: they may be there at the start, and tests do not need them.
    pub(in crate::spouts) fn warn(&self, options: &Options<'_>) {
        for pattern in &self.patterns {
            if let Err(error) = pattern.files() {
                let problem = Problem::warning(error.message).at(pattern.span).label("not there now");
                options.problem(problem.hint("relative paths start at the folder of the file that names them"));
            }
        }
    }
}

impl Pattern {
    fn is_pattern(&self) -> bool {
        self.written.contains(['*', '?', '['])
    }

    fn glob(&self) -> Result<Option<glob::Paths>, String> {
        if !self.is_pattern() {
            return Ok(None);
        }
        let text = self.path.to_str().ok_or("the folder's name is not UTF-8")?;
        glob::glob(text).map(Some).map_err(|e| format!("`{}` is no pattern: {}", self.written, e.msg))
    }

    fn files(&self) -> Result<Vec<String>, ComponentError> {
        let shown = self.path.display();
        let Some(paths) = self.glob().map_err(ComponentError::new)?.filter(|_| !self.path.is_file()) else {
            return match std::fs::metadata(&self.path) {
                Ok(found) if found.is_dir() => Err(ComponentError::new(format!(
                    "{shown} is a folder; name files, or use a pattern such as \"{}/*.csv\"",
                    self.written.trim_end_matches('/')
                ))),
                Ok(_) => Ok(vec![name_of(&self.path)?]),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(ComponentError::new(format!("there is no file {shown}")))
                }
                Err(error) => Err(ComponentError::io(format!("{shown} cannot be read: {error}"), error)),
            };
        };
        let mut files = Vec::new();
        for path in paths {
            let path =
                path.map_err(|e| ComponentError::new(format!("a folder of {shown} cannot be read: {}", e.error())))?;
            if path.is_file() {
                files.push(name_of(&path)?);
            }
        }
        if files.is_empty() {
            return Err(ComponentError::new(format!("no file matches {shown}")));
        }
        Ok(files)
    }
}

fn name_of(path: &Path) -> Result<String, ComponentError> {
    let name = path.to_str().map(str::to_owned);
    name.ok_or_else(|| ComponentError::new(format!("the name of {} is not UTF-8; rename the file", path.display())))
}
