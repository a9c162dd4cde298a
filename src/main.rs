//! The callhome program: the library does the work.

fn main() -> std::process::ExitCode {
    callhome::cli::run()
}
