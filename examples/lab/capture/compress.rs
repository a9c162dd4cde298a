//! Compressed captures, by the ending of their names.

use std::io::{self, Read, Write};

/// The content in the form that the file's name asks for.
pub fn pack(file: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    match ending(file) {
        "gz" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
            writer.write_all(content)?;
            writer.finish()
        }
        "zst" => zstd::encode_all(content, 19),
        "lz4" => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(content)?;
            writer.finish().map_err(io::Error::other)
        }
        "xz" => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 6);
            writer.write_all(content)?;
            writer.finish()
        }
        _ => Ok(content.to_vec()),
    }
}

/// The content of a file as [`pack`] made it.
///
/// Two versions of a compressor may give different files with one content, so it is contents that
/// `lab check` compares.
pub fn unpack(file: &str, packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    match ending(file) {
        "gz" => flate2::read::GzDecoder::new(packed).read_to_end(&mut content)?,
        "zst" => zstd::Decoder::new(packed)?.read_to_end(&mut content)?,
        "lz4" => lz4_flex::frame::FrameDecoder::new(packed).read_to_end(&mut content)?,
        "xz" => liblzma::read::XzDecoder::new(packed).read_to_end(&mut content)?,
        _ => return Ok(packed.to_vec()),
    };
    Ok(content)
}

fn ending(file: &str) -> &str {
    file.rsplit_once('.').map_or("", |(_, ending)| ending)
}
