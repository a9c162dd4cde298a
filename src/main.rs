//! The callhome program: parses its arguments, calls the library, answers with an exit code.

fn main() {}
