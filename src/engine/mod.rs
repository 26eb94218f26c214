//! Runs jobs durably: claims them, runs their steps, records every event, resumes after a crash, schedules.
//!
//! In: what is true of every job. Out: HTTP, vSphere, ZFS; those are for the jobs themselves.
