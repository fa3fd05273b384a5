//! What an operation is given.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::shape::Shape;
use crate::{Answer, ApiError, Codec, Requester};

/// A request for one operation, after its signature was checked.
#[derive(Clone, Debug)]
pub struct Call {
    /// In whose name the request is made, and what it may do.
    pub caller: Requester,
    /// How its body is written, and its answer.
    pub codec: Codec,
    /// The whole body, not yet parsed.
    pub body: Bytes,
}

impl Call {
    /// Reads the input and checks its constraints. An empty body is an input without members.
    ///
    /// # Errors
    /// SerializationException when the body cannot be read or a member has another type than its
    /// shape; ValidationException when a constraint is broken.
    pub fn parse<'a, T>(&'a self) -> Result<T, ApiError>
    where
        T: Shape + Deserialize<'a>,
    {
        self.codec.parse(&self.body)
    }

    /// Writes an output, as the body of a good answer.
    ///
    /// # Errors
    /// InternalFailure when the value cannot be written, such as a map with keys that are no text.
    pub fn answer<T: Serialize>(&self, output: &T) -> Result<Answer, ApiError> {
        self.codec.answer(output)
    }
}
