use zerfaux::web::view::form::{Choice, Confirm, Field};
use zerfaux::web::view::wizard::{PlanStep, WizardStep};

use super::*;

#[derive(Template)]
#[template(
    source = r#"{%- extends "base.html" -%}
{%- import "partials/ui.html" as ui -%}
{%- import "partials/form.html" as form -%}
{%- import "partials/wizard.html" as wizard -%}
{% block content %}
{{ wizard::steps("Steps of this wizard", steps) }}
<form class="form" method="post" action="/deploy/network">
{{ form::csrf(page) }}
<fieldset><legend>How does it get its address?</legend>
<div class="choices">
<label class="choice"><input type="radio" name="ip" value="static" checked><span><b>A static address</b><span>Right for an appliance that hosts mount: the address never changes.</span></span></label>
<label class="choice"><input type="radio" name="ip" value="dhcp"><span><b>DHCP</b><span>Needs a reservation, or mounts break when the lease changes.</span></span></label>
</div></fieldset>
{% for field in fields %}{{ form::field(page, field) }}{% endfor %}
<div class="form-foot"><a class="button" href="/deploy/template">Back</a><button class="button primary right">Next: review</button></div>
</form>
{% endblock %}"#,
    ext = "html"
)]
struct Step {
    page: Page,
    steps: Vec<WizardStep>,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(
    source = r#"{%- extends "base.html" -%}
{%- import "partials/ui.html" as ui -%}
{%- import "partials/form.html" as form -%}
{%- import "partials/wizard.html" as wizard -%}
{% block content %}
{{ wizard::steps("Steps of this wizard", steps) }}
<div class="obstacles">
{% call ui::notice(page, "broken", "bad") %}<p><b>nfs-dr has 310 GiB free; the disk needs 500 GiB.</b> <a href="/x">Choose another datastore</a></p>{% endcall %}
{% call ui::notice(page, "risk", "warn") %}<p>10.1.0.23 answers to nothing now, but the inventory does not know it either.</p>{% endcall %}
</div>
<div class="columns main-aside"><section class="section"><header class="ruled"><h2>What will be done</h2><p>about 9 m</p></header>{{ wizard::plan(plan) }}</section>
<section class="section"><header class="ruled"><h2>What will not be touched</h2></header><div class="prose"><ul><li>The template debian-zfs-12</li><li>Any disk that this deployment did not attach</li><li>Other appliances and their pools</li></ul></div></section></div>
<form method="post" action="/deploy">{{ form::csrf(page) }}<div class="form-foot"><a class="button" href="/deploy/network">Back</a><button class="button primary right">Deploy zfs-dr-20261120</button></div></form>
{% endblock %}"#,
    ext = "html"
)]
struct Review {
    page: Page,
    steps: Vec<WizardStep>,
    plan: Vec<PlanStep>,
}

#[derive(Template)]
#[template(
    source = r#"{%- extends "base.html" -%}
{%- import "partials/ui.html" as ui -%}
{%- import "partials/form.html" as form -%}
{% block content %}{{ form::confirm(page, confirm) }}
<section class="section"><header class="ruled"><h2>Loading</h2></header><div class="skeletons" aria-busy="true"><span class="skeleton w40"></span><span class="skeleton w80"></span><span class="skeleton w60"></span></div></section>
<section class="section"><header class="ruled"><h2>All marks</h2></header><p class="tally">{% for status in marks %}{{ ui::status(page, status) }}{% endfor %}{{ ui::badge("accent", "tier 1") }}{{ ui::badge("", "keep") }}</p></section>
<section class="section"><header class="ruled"><h2>RPO</h2></header>{{ gauge }} {{ spark }}</section>
{% endblock %}"#,
    ext = "html"
)]
struct Danger {
    page: Page,
    confirm: Confirm,
    marks: Vec<Status>,
    gauge: Html,
    spark: Html,
}

fn steps(current: usize) -> Vec<WizardStep> {
    ["Template", "Place", "Network", "Review"]
        .iter()
        .enumerate()
        .map(|(at, name)| WizardStep {
            name: (*name).into(),
            address: (at < current).then(|| "/deploy".into()),
            current: at == current,
        })
        .collect()
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    use zerfaux::web::view::chart;
    vec![
        draw(
            "wizard-step",
            &Step {
                page: below("Deploy an appliance", Area::Appliances),
                steps: steps(2),
                fields: vec![
                    Field::select("network", "Network", vec![Choice::new("1", "storage (VLAN 120)")]),
                    Field::line("ip", "Address").value("10.1.0.23"),
                    Field::line("gateway", "Gateway")
                        .value("10.0.0.1")
                        .error(Some("10.0.0.1 is not in the subnet 10.1.0.0/24.")),
                ],
            },
        ),
        draw(
            "wizard-review",
            &Review {
                page: below("Deploy an appliance", Area::Appliances),
                steps: steps(3),
                plan: [
                    ("Clone the template", "debian-zfs-12 → zfs-dr-20261120 on nfs-dr", "about 3 m"),
                    ("Power on", "prod-b, 2 vCPU, 8.00 GiB", "about 5 s"),
                    ("Create the pool", "tank on a new disk of 500 GiB", "about 20 s"),
                    ("Export by NFS", "tank/nfs to 10.0.0.0/8", "about 5 s"),
                    ("Mount on the hosts", "esx-1, esx-2, esx-3, esx-4", "about 40 s"),
                ]
                .map(|(what, on, takes)| PlanStep { what: what.into(), on: on.into(), takes: takes.into() })
                .to_vec(),
            },
        ),
        draw(
            "danger",
            &Danger {
                page: below("Disconnect vc-potsdam", Area::Vcenters),
                confirm: Confirm {
                    action: "/vcenters/2/delete".into(),
                    csrf: "token".into(),
                    question: "Disconnect vc-potsdam?".into(),
                    consequences: vec![
                        "The inventory of 412 VMs read from it is forgotten.".into(),
                        "Four groups can no longer be recovered until it is connected again.".into(),
                        "Nothing changes in the vCenter itself.".into(),
                    ],
                    name: "vc-potsdam".into(),
                    button: "Disconnect vc-potsdam".into(),
                    back: "/vcenters/2".into(),
                    error: Some("You typed vc-berlin.".into()),
                },
                marks: [Mark::Met, Mark::Risk, Mark::Broken, Mark::Unknown, Mark::Working]
                    .map(Status::from)
                    .to_vec(),
                gauge: chart::gauge(57.0, 15.0, Mark::Broken, "57 min against an RPO of 15 min"),
                spark: chart::sparkline(
                    &[Some(1.0), Some(3.0), None, Some(2.0), Some(6.0)],
                    Some(5.0),
                    "rate",
                ),
            },
        ),
    ]
}
