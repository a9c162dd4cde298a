//! Large tables on large pages: a look-up in a table of many megabytes else waits for the page's address before
//! it waits for the memory.
#![allow(
    unsafe_code,
    reason = "advising the kernel about memory takes its address; the reason stands at the call"
)]

/// Bytes of a large page on the machines that matter.
const PAGE: usize = 2 << 20;

/// Asks the kernel to back a list, all its capacity, by large pages. Only those that lie wholly in it are meant;
/// a kernel that cannot does as it did, and one that is not Linux is not asked.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables, reason = "nobody is asked"))]
pub fn advise<T>(list: &Vec<T>) {
    let start = list.as_ptr().addr();
    let end = start.saturating_add(list.capacity().saturating_mul(size_of::<T>()));
    let (first, last) = (start.next_multiple_of(PAGE), end / PAGE * PAGE);
    if first >= last {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        let from = list.as_ptr().cast::<u8>().wrapping_add(first - start);
        // SAFETY: the range lies in the list's own allocation, and MADV_HUGEPAGE changes how pages are backed from
        // now on, not what they hold.
        let _ = unsafe { libc::madvise(from.cast_mut().cast(), last - first, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn advised_lists_hold_what_they_held() {
        let mut list: Vec<u64> = Vec::with_capacity(3 << 20);
        super::advise(&list);
        list.extend(0..3 << 20);
        super::advise(&list);
        assert!(list.iter().copied().eq(0..3 << 20));
        super::advise(&Vec::<u8>::new());
        super::advise(&vec![1_u8; 100]);
    }
}
