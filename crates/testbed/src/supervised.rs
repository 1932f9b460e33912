//! A server that ends with its owner, however that ends.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// A busy machine is slow; one that takes longer than this is broken.
pub(crate) const READY_WITHIN: Duration = Duration::from_mins(1);
/// How often a server is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// The shell is the server's parent, and ends when the server ends, for whatever reason. It listens to a pipe, of
/// which the owner has the other end, and passes on the name of a signal. The end of the pipe is the end of the
/// owner: then the server goes at once, and its folder too. What a shell runs in the background ignores QUIT until
/// it has a handler of its own; TERM ends even a server that is not as far yet. That may be sooner than the listener has
/// said why, which it has to say also when it is told then that it is not needed any more.
const SUPERVISOR: &str = r#"
folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(
    if read -r signal <&3; then
        kill -s "$signal" "$server"
        exit 0
    fi
    trap '' TERM
    kill -s TERM "$server"
    kill -s QUIT "$server"
    exit 9
) &
listener=$!
wait "$server"
kill "$listener"
wait "$listener"
if [ $? = 9 ]; then rm -rf "$folder"; fi
"#;

/// The command that runs `program`, whose arguments are still to be added; `folder` is what is removed when the
/// owner has gone.
pub(crate) fn around(program: &Path, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", SUPERVISOR, "supervisor"]).arg(folder).arg(program);
    // What is sent to the tests as a group, such as Ctrl-C, ends the owner, and by that the server.
    shell.process_group(0);
    shell
}

/// A server, by way of the shell that is its parent.
#[derive(Debug)]
pub(crate) struct Supervised(Child);

impl Supervised {
    /// Runs a command that [`around`] has made, and waits until it is ready. `None`: somebody else has its port.
    pub(crate) async fn start(
        command: Command,
        log: &Path,
        is_ready: impl AsyncFn() -> bool,
    ) -> Option<Self> {
        let said = || fs::read_to_string(log).expect("it has a log");
        let file = File::create(log).expect("its log can be written");
        let mut running = Self::spawn(command, &file);
        let ready = timeout(READY_WITHIN, async {
            while !is_ready().await {
                if running.has_ended() {
                    return false;
                }
                sleep(ASK_EVERY).await;
            }
            true
        });
        if ready.await.unwrap_or_else(|_| panic!("it is not ready within {READY_WITHIN:?}: {}", said())) {
            return Some(running);
        }
        assert!(said().contains("Address already in use"), "it does not start: {}", said());
        None
    }

    /// Runs a command that [`around`] has made.
    pub(crate) fn spawn(mut command: Command, log: &File) -> Self {
        let output = || log.try_clone().expect("a file can be shared");
        command.stdin(Stdio::piped()).stdout(output()).stderr(output());
        Self(command.spawn().expect("there is a shell"))
    }

    /// Whether it has ended by itself.
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }

    /// Sends it a signal that ends it, and waits for that.
    pub(crate) fn end(mut self, signal: &str) {
        let mut stdin = self.0.stdin.take().expect("only the end takes it");
        // It may have ended by itself.
        let _ = writeln!(stdin, "{signal}");
        self.0.wait().expect("it is our child");
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // This closes the pipe first.
        self.0.wait().expect("it is our child");
    }
}
