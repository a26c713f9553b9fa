//! What must be true from outside, as one test binary; modules by intent.

mod emulator;
mod events;
