//! `callhome indicators compile`: many files into one that is ready at once.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read},
    path::{Path, PathBuf},
};

use clap::Args;

use super::check_loaded;
use crate::{
    cli::safe,
    indicator::{COMPILED_MAGIC, Compiled, IndicatorPath, Loader},
};

/// The arguments of `callhome indicators compile`.
#[derive(Debug, Args)]
pub struct CompileArguments {
    /// Indicator files or directories, as --indicators takes them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<IndicatorPath>,
    /// The file to write; it is replaced when it is there and is a compiled file
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Compiles, and gives what a person may read of it.
///
/// # Errors
/// When a source or the file cannot be used.
pub fn compile(arguments: &CompileArguments) -> Result<String, String> {
    let CompileArguments { paths, output } = arguments;
    let at_fault = |error: io::Error| format!("{}: {error}", output.display());
    may_be_written(output, paths)?;
    let mut loader = Loader::for_compiling();
    paths.iter().for_each(|path| loader.located(path));
    let compiled = loader.compile();
    check_loaded(&compiled.report)?;
    let length = replace(output, &compiled).map_err(at_fault)?;
    let mut text = String::new();
    for source in &compiled.report.sources {
        let taken = format!("{} taken, {} not taken", source.accepted, source.rejected_count);
        text += &format!("{}: {taken}, {} repeated\n", source.file, source.duplicates);
    }
    let claims = compiled.claims();
    text += &format!("{}: {claims} indicators in {length} bytes\n", output.display());
    Ok(text.split_inclusive('\n').map(|line| safe(line.trim_end()) + "\n").collect())
}

/// A file of something else is not overwritten, and a folder that is read does not get its own product.
fn may_be_written(output: &Path, paths: &[IndicatorPath]) -> Result<(), String> {
    let shown = output.display();
    if output.file_name().is_none() || output.is_dir() {
        return Err(format!("{shown}: is a folder; name the file to write"));
    }
    let mut head = Vec::new();
    match File::open(output).map(|file| file.take(COMPILED_MAGIC.len() as u64).read_to_end(&mut head)) {
        Ok(Ok(_)) if head.is_empty() || head == COMPILED_MAGIC => {}
        Ok(Ok(_)) => return Err(format!("{shown}: is there already, and is no compiled indicator file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(Err(error)) | Err(error) => return Err(format!("{shown}: {error}")),
    }
    let folder = folder_of(output);
    let folder = fs::canonicalize(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let around =
        |path: &&PathBuf| path.is_dir() && fs::canonicalize(path).is_ok_and(|path| folder.starts_with(path));
    match paths.iter().map(|named| &named.path).find(around) {
        Some(path) => Err(format!("{shown}: lies in {}, which is read; write it elsewhere", path.display())),
        None => Ok(()),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a hidden file beside `output` and gives it that name when it is complete, so that a reader has
/// either the old one or the new one, and a program that has mapped the old one keeps it.
fn replace(output: &Path, compiled: &Compiled) -> io::Result<u64> {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder_of(output).join(format!(".{name}.{}.tmp", std::process::id()));
    let write = || {
        let mut file = BufWriter::new(File::create(&temporary)?);
        let length = compiled.write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, output)?;
        Ok(length)
    };
    let written = write();
    if written.is_err() {
        // What is wrong is told; a remainder that cannot be removed either adds nothing.
        let _ = fs::remove_file(&temporary);
    }
    written
}
