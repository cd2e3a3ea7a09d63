//! The binary `keyfob`; see `server::command`.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::command::run()
}
