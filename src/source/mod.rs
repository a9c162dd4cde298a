//! Where frames come from: capture files of every common form, in one timeline.
//!
//! A [`Timeline`] puts any number of inputs in the order of packet time and hands them on as
//! [`FrameBatch`]es. A batch owns small descriptors and shares the bytes (a mapped file, or a decoded
//! chunk of a compressed one), so that several workers can read it at once without a copy.

mod batch;

pub use batch::{Chunk, Frame, FrameBatch, FrameRecord};
