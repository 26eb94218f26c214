use super::*;

fn ids(count: usize) -> Vec<ProtectedVmId> {
    (0..count).map(|_| ProtectedVmId::new()).collect()
}

fn tier(name: &str, vms: &[ProtectedVmId]) -> Tier {
    let vms = vms.iter().map(|vm| PlanVm::plain(*vm)).collect();
    Tier { name: name.to_owned(), delay_after_seconds: 0, vms }
}

fn plan(tiers: Vec<Tier>) -> RecoveryPlan {
    RecoveryPlan { tiers, ..RecoveryPlan::default() }
}

fn named(tiers: &[ResolvedTier]) -> Vec<(usize, Vec<ProtectedVmId>)> {
    tiers.iter().map(|tier| (tier.number, tier.vms.iter().map(|one| one.vm).collect())).collect()
}

fn fixed(address: &str, prefix: u8, gateway: Option<&str>) -> GuestAddress {
    GuestAddress::Static {
        address: address.parse().unwrap(),
        prefix,
        gateway: gateway.map(|one| one.parse().unwrap()),
        dns: Vec::new(),
    }
}

#[test]
fn a_plan_that_nobody_wrote_starts_everything_in_tier_one() {
    let vms = ids(3);
    let resolved = RecoveryPlan::default().resolved(&vms);
    assert_eq!(named(&resolved), [(1, vms.clone())]);
    let check = RecoveryPlan::default().check_of(&resolved[0].vms[0]);
    assert_eq!(check.to_string(), "VMware Tools run within 300 s");
}

#[test]
fn a_virtual_machine_that_no_tier_names_is_in_the_last_one() {
    let vms = ids(4);
    let plan = plan(vec![tier("Databases", &[vms[2]]), tier("The rest", &[vms[0]])]);
    assert_eq!(named(&plan.resolved(&vms)), [(1, vec![vms[2]]), (2, vec![vms[0], vms[1], vms[3]])]);
}

#[test]
fn what_left_the_group_or_is_left_out_is_not_started() {
    let vms = ids(3);
    let gone = ProtectedVmId::new();
    let mut plan = plan(vec![tier("A", &[gone]), tier("B", &vms)]);
    plan.tiers[1].vms[1].left_out = true;
    assert_eq!(named(&plan.resolved(&vms)), [(2, vec![vms[0], vms[2]])]);
    assert_eq!(plan.completed(&vms).tiers[1].vms.len(), 3);
}

#[test]
fn json_needs_only_what_differs_and_reads_back_what_it_writes() {
    let read: RecoveryPlan = serde_json::from_str("{}").unwrap();
    assert_eq!(read, RecoveryPlan::default());
    let vm = ProtectedVmId::new();
    let text = format!(
        r#"{{"tiers":[{{"name":"Web","vms":[{{"vm":"{vm}","check":{{"proof":{{"kind":"tcp_port","port":443}},"limit_seconds":60}},
            "nics":[{{"key":4000,"address":{{"kind":"static","address":"10.0.0.5","prefix":24,"gateway":"10.0.0.1"}}}}]}}]}}],
            "networks":{{"test":{{"network-1":{{"to":"disconnected"}}}},"real":{{"network-1":{{"to":"network","id":"net-9","name":"DR"}}}}}}}}"#
    );
    let read: RecoveryPlan = serde_json::from_str(&text).unwrap();
    assert_eq!(read.tiers[0].vms[0].address_of(4000), &fixed("10.0.0.5", 24, Some("10.0.0.1")));
    assert_eq!(read.tiers[0].vms[0].address_of(4001), &GuestAddress::Keep);
    let again: RecoveryPlan = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(again, read);
    assert!(serde_json::from_str::<RecoveryPlan>(r#"{"teirs":[]}"#).is_err());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let vms = ids(2);
    let known: BTreeSet<_> = vms.iter().copied().collect();
    let stranger = ProtectedVmId::new();
    let mut plan = plan(vec![tier("Web", &[vms[0], vms[0]]), tier(" web ", &[stranger]), tier(" ", &[])]);
    plan.defaults.limit_seconds = 0;
    plan.tiers[0].delay_after_seconds = MOST_DELAY_SECONDS + 1;
    let proof = BootProof::TcpPort { port: 0 };
    plan.tiers[0].vms[0].check = Some(BootCheck { proof, limit_seconds: 60 });
    plan.tiers[1].vms[0].prompt_after = "x".repeat(MOST_PROMPT + 1);
    plan.networks
        .real
        .insert("network-1".to_owned(), MappedNetwork::Network { id: String::new(), name: "DR".to_owned() });
    let faults = plan.faults(&known);
    let expected = [
        ("defaults.limit_seconds", PlanFault::Limit(0)),
        ("tiers[0].delay_after_seconds", PlanFault::Delay(MOST_DELAY_SECONDS + 1)),
        ("tiers[0].vms[0].check.proof.port", PlanFault::Port),
        ("tiers[0].vms[1].vm", PlanFault::Twice(vms[0])),
        ("tiers[1].name", PlanFault::SameTierName(" web ".to_owned())),
        ("tiers[1].vms[0].vm", PlanFault::NotInGroup(stranger)),
        ("tiers[1].vms[0].prompt_after", PlanFault::Prompt),
        ("tiers[2].name", PlanFault::TierName { tier: 3 }),
        ("networks.real", PlanFault::Network),
    ];
    assert_eq!(faults, expected.map(|(at, fault)| (at.to_owned(), fault)));
    assert_eq!(RecoveryPlan::default().faults(&known), []);
    let none = RecoveryPlan { tiers: Vec::new(), ..RecoveryPlan::default() };
    assert_eq!(none.faults(&known), [("tiers".to_owned(), PlanFault::NoTier)]);
}

#[test]
fn addresses_that_a_guest_can_have_pass_and_others_are_named() {
    for good in [
        fixed("10.0.0.5", 24, Some("10.0.0.1")),
        fixed("10.0.0.5", 24, None),
        fixed("10.0.0.0", 31, Some("10.0.0.1")),
        fixed("10.0.0.5", 32, None),
        fixed("fd00::5", 64, Some("fd00::1")),
        fixed("fd00::5", 64, Some("fe80::1")),
        GuestAddress::Dhcp,
        GuestAddress::Keep,
    ] {
        assert_eq!(good.faults(), [], "{good:?}");
    }
    let bad = [
        (
            fixed("10.0.0.5", 24, Some("10.0.1.1")),
            "the gateway 10.0.1.1 is not in 10.0.0.0/24, the network of 10.0.0.5",
        ),
        (fixed("10.0.0.5", 24, Some("10.0.0.5")), "10.0.0.5 cannot be its own gateway"),
        (
            fixed("10.0.0.5", 24, Some("fd00::1")),
            "the gateway fd00::1 is not in 10.0.0.0/24, the network of 10.0.0.5",
        ),
        (fixed("10.0.0.5", 33, None), "10.0.0.5 cannot have the prefix 33: it is 1 to 32"),
        (fixed("10.0.0.5", 0, None), "10.0.0.5 cannot have the prefix 0: it is 1 to 32"),
        (fixed("fd00::5", 129, None), "fd00::5 cannot have the prefix 129: it is 1 to 128"),
        (
            fixed("10.0.0.0", 24, None),
            "10.0.0.0 is the network address of 10.0.0.0/24, which no guest can have",
        ),
        (
            fixed("10.0.0.255", 24, None),
            "10.0.0.255 is the broadcast address of 10.0.0.0/24, which no guest can have",
        ),
        (fixed("127.0.0.1", 8, None), "127.0.0.1 is no address of a network card"),
        (fixed("224.0.0.1", 24, None), "224.0.0.1 is no address of a network card"),
    ];
    for (address, message) in bad {
        let told: Vec<String> = address.faults().iter().map(ToString::to_string).collect();
        assert_eq!(told, [message]);
    }
}
