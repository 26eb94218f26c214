//! Lists in parts.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::AppError;

/// Items when nobody says how many.
const DEFAULT: usize = 100;
/// Most items in one answer.
const MOST: usize = 1000;

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items at most: 1 to 1000, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// The `next` of the part before.
    pub cursor: Option<String>,
    /// Only items with this text in them.
    pub q: Option<String>,
}

impl Paging {
    /// How many items at most.
    ///
    /// # Errors
    /// If that is none, or too many.
    pub fn limit(&self) -> Result<usize, AppError> {
        match self.limit.unwrap_or(DEFAULT) {
            limit @ 1..=MOST => Ok(limit),
            _ => Err(AppError::invalid("limit", format!("The limit is 1 to {MOST}."))),
        }
    }

    /// The cursor as what it stands for.
    ///
    /// # Errors
    /// If it is none of ours.
    pub fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, AppError> {
        let wrong = |_| AppError::invalid("cursor", "This cursor is not one that a list gave as `next`.");
        self.cursor.as_deref().map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// A part of a list that is held whole.
    ///
    /// # Errors
    /// If limit or cursor are wrong.
    pub fn part<T>(&self, all: Vec<T>, matches: impl Fn(&T, &str) -> bool) -> Result<List<T>, AppError> {
        let (limit, from) = (self.limit()?, self.cursor::<usize>()?.unwrap_or(0));
        let words = self.q.as_deref().unwrap_or_default().to_lowercase();
        let all: Vec<T> = all.into_iter().filter(|item| words.is_empty() || matches(item, &words)).collect();
        let total = all.len();
        let items: Vec<T> = all.into_iter().skip(from).take(limit).collect();
        let end = from.saturating_add(items.len());
        let next = (end < total && !items.is_empty()).then(|| end.to_string());
        Ok(List { items, total: total as u64, next })
    }
}

/// A part of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The items of this part.
    pub items: Vec<T>,
    /// How many there are in all parts.
    pub total: u64,
    /// What to ask with as `cursor` for the next part; null in the last.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_list_follow_each_other_without_gap_or_overlap() {
        let (mut got, mut cursor) = (Vec::new(), None);
        loop {
            let paging = Paging { limit: Some(3), cursor, q: None };
            let list = paging.part((0..10).collect(), |_, _| true).unwrap();
            assert_eq!(list.total, 10);
            got.extend(list.items);
            cursor = list.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(got, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_limit_or_cursor_that_cannot_be_is_named() {
        let wrong = |paging: Paging| paging.part(vec![1], |_, _| true).unwrap_err().to_string();
        assert!(wrong(Paging { limit: Some(0), ..Paging::default() }).contains("limit"));
        assert!(wrong(Paging { limit: Some(1001), ..Paging::default() }).contains("limit"));
        assert!(wrong(Paging { cursor: Some("x".into()), ..Paging::default() }).contains("cursor"));
    }
}
