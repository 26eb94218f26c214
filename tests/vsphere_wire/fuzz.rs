//! Answers that no server should send.

#[path = "../support/soap_fuzz.rs"]
mod soap_fuzz;

#[test]
fn no_answer_makes_the_reader_panic_or_grow() {
    soap_fuzz::try_answers(20_000, 0);
}
