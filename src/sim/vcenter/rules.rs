//! What goes wrong on purpose: which calls, how often, and how.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::soap::{Fault, Kind, Moref, Value, schema};

/// When the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The call is not worked on, and nothing is answered.
    Before,
    /// The call is worked on, and nothing is answered.
    Answer,
    /// The call is worked on, and half of the answer is sent.
    Middle,
}

/// One thing that goes wrong. Fields that are absent match everything, or do nothing.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// A method, as `CloneVM_Task`.
    pub method: Option<String>,
    /// The object of the call: its reference, as `vm-17`, or its name.
    pub object: Option<String>,
    /// How likely it is that a call that matches is hit; absent for always.
    pub probability: Option<f64>,
    /// How many calls that match are let through first.
    pub skip: u32,
    /// How many calls are hit; absent for all.
    pub count: Option<u32>,
    /// Milliseconds until the call is worked on.
    pub delay_ms: u64,
    /// A fault by its type, as `NoPermission`.
    pub fault: Option<String>,
    /// Whether the fault ends the task that the call starts, instead of the call.
    pub in_task: bool,
    /// Where the connection is cut.
    pub drop: Option<Cut>,
    /// An HTTP status without a SOAP body, as 503.
    pub status: Option<u16>,
}

/// Why a rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// The text is no JSON list of rules.
    #[error("the fault rules are not valid: {0}")]
    Syntax(String),
    /// There is no such method.
    #[error("the fault rule names the method {0}, which the simulated vCenter does not have")]
    Method(String),
    /// There is no such fault.
    #[error("the fault rule names the fault {0}, which the simulated vCenter does not have")]
    Fault(String),
    /// A number is out of its range.
    #[error("the fault rule has {0}, which has to be {1}")]
    Number(&'static str, &'static str),
}

impl Rule {
    /// A rule that hits every call of a method.
    pub fn on(method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..Self::default() }
    }

    /// Reads a JSON list of rules.
    pub fn parse_all(json: &str) -> Result<Vec<Self>, RuleError> {
        let rules: Vec<Self> =
            serde_json::from_str(json).map_err(|error| RuleError::Syntax(error.to_string()))?;
        rules.iter().try_for_each(Self::check)?;
        Ok(rules)
    }

    /// Whether it names what there is.
    pub fn check(&self) -> Result<(), RuleError> {
        if let Some(method) = self.method.as_ref().filter(|method| !schema().has_method(method)) {
            return Err(RuleError::Method(method.clone()));
        }
        if let Some(fault) = self.fault.as_ref().filter(|fault| fault_type(fault).is_none()) {
            return Err(RuleError::Fault(fault.clone()));
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(RuleError::Number("a probability", "between 0 and 1"));
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err(RuleError::Number("a status", "between 200 and 599"));
        }
        Ok(())
    }
}

fn fault_type(name: &str) -> Option<&'static str> {
    schema().get(name).filter(|ty| ty.kind == Kind::Fault).map(|ty| ty.name)
}

/// What happens to one call.
#[derive(Debug, Default)]
pub(super) struct Blow {
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
    pub(super) task_fault: Option<Fault>,
    pub(super) cut: Option<Cut>,
    pub(super) status: Option<u16>,
}

/// The rules, and how often each has hit.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<(Rule, u32, u32)>,
    random: u64,
}

impl Rules {
    pub(super) fn new(rules: Vec<Rule>, seed: u64) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, 0, 0)).collect(), random: seed }
    }

    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push((rule, 0, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// A number between 0 and 1; the same row of them for the same seed.
    fn chance(random: &mut u64) -> f64 {
        *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// What happens to this call.
    pub(super) fn hit(&mut self, method: &str, object: &Moref, name: &str) -> Blow {
        let mut blow = Blow::default();
        for (rule, seen, hits) in &mut self.rules {
            let fits = rule.method.as_deref().is_none_or(|wanted| wanted == method)
                && rule.object.as_deref().is_none_or(|wanted| wanted == &*object.id || wanted == name);
            if !fits || rule.count.is_some_and(|count| *hits >= count) {
                continue;
            }
            *seen += 1;
            if *seen <= rule.skip
                || rule.probability.is_some_and(|chance| Self::chance(&mut self.random) >= chance)
            {
                continue;
            }
            *hits += 1;
            blow.delay += Duration::from_millis(rule.delay_ms);
            let fault = rule.fault.as_deref().and_then(fault_type).map(|ty| filled(ty, object, name));
            if rule.in_task {
                blow.task_fault = blow.task_fault.or(fault);
            } else {
                blow.fault = blow.fault.or(fault);
            }
            blow.cut = blow.cut.or(rule.drop);
            blow.status = blow.status.or(rule.status);
        }
        blow
    }
}

/// A fault with something in every field that it has to have.
fn filled(ty: &'static str, object: &Moref, name: &str) -> Fault {
    let mut fault = Fault::new(ty, format!("A fault rule of the simulator says {ty}."));
    let fields = schema().get(ty).map_or(&[][..], |ty| &ty.fields[..]);
    for field in fields.iter().filter(|field| !field.optional && !field.is_opaque()) {
        let value = match field.ty {
            "string" => Value::from(name.to_owned()),
            "int" | "long" | "short" | "byte" => Value::Int(0),
            "boolean" => Value::Bool(false),
            other if schema().is_managed(other) => object.into(),
            other => match schema().get(other).and_then(|ty| ty.values.first()) {
                Some(word) => Value::from(*word),
                None => continue,
            },
        };
        fault = fault.with(field.name, value);
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(rules: &mut Rules, object: &str, name: &str, times: usize) -> usize {
        let moref = Moref::new("VirtualMachine", object.to_owned());
        (0..times).filter(|_| rules.hit("PowerOnVM_Task", &moref, name).fault.is_some()).count()
    }

    #[test]
    fn a_rule_hits_its_object_so_often_and_after_so_many() {
        let json = r#"[{"method": "PowerOnVM_Task", "object": "erp01", "skip": 1, "count": 2, "fault": "NoPermission"}]"#;
        let mut rules = Rules::new(Rule::parse_all(json).unwrap(), 1);
        assert_eq!(hits(&mut rules, "vm-9", "web01", 5), 0);
        assert_eq!(hits(&mut rules, "vm-7", "erp01", 1), 0);
        assert_eq!(hits(&mut rules, "vm-7", "erp01", 5), 2);
    }

    #[test]
    fn the_same_seed_hits_the_same_calls() {
        let rule = Rule { probability: Some(0.3), fault: Some("NoPermission".into()), ..Rule::default() };
        let count = |seed| hits(&mut Rules::new(vec![rule.clone()], seed), "vm-1", "x", 1000);
        assert_eq!(count(7), count(7));
        assert!((200..400).contains(&count(7)), "{}", count(7));
    }

    #[test]
    fn a_rule_that_names_nothing_is_refused() {
        for (json, error) in [
            (r#"[{"method": "FlyVM_Task"}]"#, RuleError::Method("FlyVM_Task".into())),
            (r#"[{"fault": "Bored"}]"#, RuleError::Fault("Bored".into())),
            (r#"[{"probability": 2.0}]"#, RuleError::Number("a probability", "between 0 and 1")),
        ] {
            assert_eq!(Rule::parse_all(json), Err(error));
        }
        assert!(matches!(Rule::parse_all(r#"[{"metod": "x"}]"#), Err(RuleError::Syntax(_))));
    }
}
