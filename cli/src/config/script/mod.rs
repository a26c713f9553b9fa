//! What a `config.js` exports, found without running it: the file is parsed, and what is constant is computed. All the
//! rest is named with its place and left out.
//!
//! | module | what |
//! |---|---|
//! | `syntax` | the parser, places in the text, and what is wrong with a text that is no JavaScript |
//! | `literal` | texts and numbers as they are written |
//! | `value` | values, and what makes one unknown |
//! | `evaluate` | expressions |
//! | `calls` | the few calls of Node's library that stand in such files |
//! | `program` | statements, and what is exported in the end |

mod calls;
mod evaluate;
mod literal;
mod program;
mod syntax;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use program::{Exported, Hole, read, text_of_bytes};
pub(crate) use syntax::{LONGEST, Place, SyntaxError};
pub(crate) use value::{Unknown, Why};
