//! One file per kind of job: its steps, what each does, how it is undone.
