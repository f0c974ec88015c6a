//! The built program, run in a folder of its own.

use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A temporary folder that goes when the test does.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sferic-tests-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Folder {
        fs::write(self.0.join(name), bytes).expect("a file can be written");
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("the file is there")
    }

    /// The command, to be run in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sferic"));
        command.current_dir(&self.0).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // What a developer has set must not change what is tested.
        command.env_remove("FRAUD_CONF").env_remove("RUST_LOG");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).spawn().expect("the program can be started"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What came of a run of the program.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The report: a JSON object in the last line.
    pub fn report(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("no report ({e}):\n{}\n{}", self.out, self.err))
    }

    /// It ended well; the report.
    pub fn good(&self) -> Value {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.report()
    }
}

/// Waits for a program and reads all that it prints meanwhile.
pub fn finish(mut child: Child) -> Ran {
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                stream.read_to_end(&mut bytes).expect("a pipe can be read");
            }
            String::from_utf8(bytes).expect("the program prints UTF-8")
        })
    };
    let out = reader(child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>));
    let err = reader(child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>));
    let status = end_of(&mut child);
    Ran { code: status.code(), out: out.join().expect("no panic"), err: err.join().expect("no panic") }
}

/// Waits for the end of a program.
pub fn end_of(child: &mut Child) -> ExitStatus {
    let mut found = None;
    until("the program ends", || {
        found = child.try_wait().expect("a child can be waited for");
        found.is_some()
    });
    found.expect("it has ended")
}

/// Waits for a condition.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// The folder of the topologies that come with Sferic.
pub fn topologies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies")
}

/// One component of a report.
pub fn component<'a>(report: &'a Value, list: &str, id: &str) -> &'a Value {
    let found = report[list].as_array().and_then(|all| all.iter().find(|c| c["id"] == id));
    found.unwrap_or_else(|| panic!("no {id} among {list}: {report}"))
}

/// What a bolt has to show.
pub fn section<'a>(report: &'a Value, title: &str) -> &'a Value {
    let found = report["sections"].as_array().and_then(|all| all.iter().find(|s| s["title"] == title));
    &found.unwrap_or_else(|| panic!("no section {title}: {report}"))["value"]
}
