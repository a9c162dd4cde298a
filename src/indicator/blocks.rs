//! Reads a text file some hundred kilobytes at a time, so that a list of a million lines is never held as
//! a whole.

use std::io::{self, Read};

/// What is read at a time.
const BLOCK: usize = 256 << 10;

/// Calls `each` with the lines of a file, some at a time: of what has been read of it already (`head`), and
/// of the rest. A line longer than a block is given whole. What is not UTF-8 is replaced.
///
/// # Errors
/// When the file cannot be read on; the lines before that have been given.
pub(super) fn for_each(head: Vec<u8>, mut rest: impl Read, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut buffer = head;
    let mut limit = BLOCK.max(buffer.len());
    loop {
        let missing = limit.saturating_sub(buffer.len()) as u64;
        let is_end = rest.by_ref().take(missing).read_to_end(&mut buffer)? < missing as usize;
        let lines = match buffer.iter().rposition(|&byte| byte == b'\n') {
            _ if is_end => buffer.len(),
            Some(last) => last + 1,
            None => {
                limit = buffer.len() * 2;
                continue;
            }
        };
        // A list in Latin-1 has its remarks damaged by this and its values left whole.
        each(&String::from_utf8_lossy(buffer.get(..lines).unwrap_or_default()));
        if is_end {
            return Ok(());
        }
        buffer.drain(..lines);
        limit = BLOCK.max(buffer.len() + 1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_lines_and_all_of_them() {
        let long = "x".repeat(3 * BLOCK);
        let text = format!("{}\n{long}\nb\u{fc}\r\n{}end", "a line\n".repeat(100_000), "\n".repeat(BLOCK));
        for head in [0, 1, 5, BLOCK, BLOCK + 7, text.len()] {
            let (start, rest) = text.as_bytes().split_at(head);
            let (mut all, mut blocks) = (String::new(), 0);
            for_each(start.to_vec(), rest, |block| {
                assert!(all.is_empty() || all.ends_with('\n'));
                all.push_str(block);
                blocks += 1;
            })
            .unwrap();
            assert!(all == text && (2..20).contains(&blocks), "{blocks}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_in_the_whole() {
        let bytes: Vec<u8> = (0..2 * BLOCK).map(|n| [b'a', 0xe2, 0x82, b'\n', 0xff, 0xc3][n % 6]).collect();
        let mut all = String::new();
        for_each(Vec::new(), bytes.as_slice(), |block| all.push_str(block)).unwrap();
        assert!(all == String::from_utf8_lossy(&bytes));
    }
}
