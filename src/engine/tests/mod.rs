//! The engine with an in-memory store and a clock that tests hold in their hands.
