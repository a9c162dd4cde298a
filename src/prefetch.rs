//! Asking the processor for bytes before they are needed.
//!
//! A load that misses the caches holds up everything behind it until its bytes are there; a prefetch
//! holds up nothing. Where addresses are known some steps ahead, as of the frames of a batch, the
//! wait is hidden. Plain loads in the same places were measured and hide less of it
//! (`docs/performance.md`).
#![allow(
    unsafe_code,
    reason = "the instruction takes a raw pointer; why any pointer is sound stands beside it"
)]

/// Asks for the cache line (64 bytes) of `bytes[offset]`. Only a hint: an offset behind the end, or a
/// page that is not mapped, costs nothing and does nothing, and so does every call on processors for
/// which Rust has no stable name of the instruction.
#[inline(always)]
pub fn line(bytes: &[u8], offset: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch changes nothing that a program can see and raises no fault, whatever the
        // address ("PREFETCHh" in Intel's and AMD's manuals), and nothing is read through the pointer.
        // `wrapping_add` may leave the slice, which is allowed for a pointer that is not read through.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(offset).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, offset);
}

/// Asks for the lines that hold the value at `place` of `list`, as [`line()`] does; a place behind the end is none.
#[inline(always)]
pub fn value<T>(list: &[T], place: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = list.as_ptr().wrapping_add(place).cast::<i8>();
        for offset in (0..size_of::<T>()).step_by(64) {
            // SAFETY: as in `line`: nothing is read through the pointer.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(offset)) }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (list, place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_sound() {
        let bytes = [7; 100];
        for offset in [0, 99, 100, 1 << 40, usize::MAX] {
            line(&bytes, offset);
            line(&[], offset);
            value(&bytes, offset);
        }
        assert_eq!(bytes, [7; 100]);
    }
}
