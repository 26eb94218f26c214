//! Lists whose search, filter, order and page are in the address.

use std::fmt::Write as _;

use super::size::count;

/// A list as it is asked for and as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The list's own address, without a question mark.
    pub path: String,
    /// What was searched for.
    pub search: String,
    /// Filters that are on: name in the address, value, what a person calls it.
    pub filters: Vec<Filter>,
    /// The column it is ordered by.
    pub sort: String,
    /// Largest first.
    pub descending: bool,
    /// The page, from 1.
    pub page: u64,
    /// Rows on a page.
    pub per_page: u64,
    /// Rows found in all.
    pub total: u64,
}

/// A filter that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// In the address.
    pub name: String,
    /// In the address.
    pub value: String,
    /// On screen: `state: failed`.
    pub label: String,
}

impl List {
    /// The address of this list ordered by a column: the other way round if it is ordered by it already.
    pub fn sorted_by(&self, column: &str) -> String {
        let descending = self.sort == column && !self.descending;
        self.link(&self.filters, column, descending, 1)
    }

    /// What `aria-sort` says of a column, if the list is ordered by it.
    pub fn order_of(&self, column: &str) -> Option<&'static str> {
        (self.sort == column).then_some(if self.descending { "descending" } else { "ascending" })
    }

    /// The address of this list without one of its filters.
    pub fn without(&self, filter: &Filter) -> String {
        let rest: Vec<_> = self.filters.iter().filter(|other| *other != filter).cloned().collect();
        self.link(&rest, &self.sort, self.descending, 1)
    }

    /// The address of this very page of it.
    pub fn address(&self) -> String {
        self.link(&self.filters, &self.sort, self.descending, self.page)
    }

    /// The page before this one.
    pub fn previous(&self) -> Option<String> {
        (self.page > 1).then(|| self.link(&self.filters, &self.sort, self.descending, self.page - 1))
    }

    /// The page after this one.
    pub fn next(&self) -> Option<String> {
        let more = self.page.saturating_mul(self.per_page) < self.total;
        more.then(|| self.link(&self.filters, &self.sort, self.descending, self.page + 1))
    }

    /// The number of the first row on this page, from 1; 0 in an empty list.
    pub fn from(&self) -> u64 {
        if self.total == 0 { 0 } else { (self.page - 1).saturating_mul(self.per_page) + 1 }
    }

    /// The number of the last row on this page.
    pub fn to(&self) -> u64 {
        self.page.saturating_mul(self.per_page).min(self.total)
    }

    /// `26–50 of 10 000`.
    pub fn range(&self) -> String {
        format!("{}–{} of {}", count(self.from()), count(self.to()), count(self.total))
    }

    /// Whether the list is narrowed by anything, so that "nothing found" differs from "nothing here yet".
    pub fn narrowed(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    fn link(&self, filters: &[Filter], sort: &str, descending: bool, page: u64) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        if !self.search.is_empty() {
            pairs.push(("q", self.search.clone()));
        }
        pairs.extend(filters.iter().map(|filter| (filter.name.as_str(), filter.value.clone())));
        if !sort.is_empty() {
            pairs.push(("sort", if descending { format!("-{sort}") } else { sort.to_owned() }));
        }
        if page > 1 {
            pairs.push(("page", page.to_string()));
        }
        let mut address = self.path.clone();
        for (place, (name, value)) in pairs.iter().enumerate() {
            address.push(if place == 0 { '?' } else { '&' });
            address.push_str(&in_query(name));
            address.push('=');
            address.push_str(&in_query(value));
        }
        address
    }
}

/// Text as a name or value in the query part of an address (RFC 3986, unreserved characters stay).
pub fn in_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> List {
        List {
            path: "/jobs".to_owned(),
            search: "erp & co".to_owned(),
            filters: vec![Filter {
                name: "state".into(),
                value: "failed".into(),
                label: "state: failed".into(),
            }],
            sort: "created".to_owned(),
            descending: true,
            page: 2,
            per_page: 25,
            total: 61,
        }
    }

    #[test]
    fn every_link_keeps_what_was_searched_and_filtered() {
        let list = list();
        assert_eq!(list.next().unwrap(), "/jobs?q=erp%20%26%20co&state=failed&sort=-created&page=3");
        assert_eq!(list.previous().unwrap(), "/jobs?q=erp%20%26%20co&state=failed&sort=-created");
        assert_eq!(list.without(&list.filters[0]), "/jobs?q=erp%20%26%20co&sort=-created");
        assert_eq!((list.from(), list.to()), (26, 50));
    }

    #[test]
    fn a_column_clicked_again_turns_round_and_starts_at_the_first_page() {
        let list = list();
        assert_eq!(list.sorted_by("created"), "/jobs?q=erp%20%26%20co&state=failed&sort=created");
        assert_eq!(list.sorted_by("kind"), "/jobs?q=erp%20%26%20co&state=failed&sort=kind");
        assert_eq!(list.order_of("created"), Some("descending"));
        assert_eq!(list.order_of("kind"), None);
    }

    #[test]
    fn the_last_page_has_no_next_and_an_empty_list_counts_from_zero() {
        let last = List { page: 3, ..list() };
        assert_eq!((last.next(), last.to()), (None, 61));
        let empty = List { page: 1, total: 0, ..list() };
        assert_eq!((empty.from(), empty.to(), empty.next(), empty.previous()), (0, 0, None, None));
    }
}
