//! A configuration as a large mail provider might have it: thousands of domains with their limits, bindings, listeners,
//! loggers and hooks, with the comments, blank lines and manners of several authors. The same for everybody, from one seed.

/// Numbers that only look random: xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % sides
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const OPTIONS: [&str; 20] = [
    "Max_Outbound_Connections",
    "Max_Deliveries_Per_Connection",
    "Outbound_Throttle_Messages",
    "Retry_Interval",
    "Max_Retry_Interval",
    "Message_Expiration",
    "Max_Retries",
    "Idle_Time",
    "TLS",
    "Routes",
    "Gateway",
    "EHLO_Hostname",
    "Bind_Address",
    "Generate_Bounces",
    "Suspend_Delivery",
    "Max_Recipients_Per_Batch",
    "enable_fbl_header_insertion",
    "Delivery_Method",
    "Relaying",
    "opendkim_sign",
];
const WORDS: [&str; 12] =
    ["mail", "post", "corp", "north", "bulk", "alerts", "shop", "news", "labs", "cloud", "static", "edge"];
const ENDS: [&str; 6] = ["com", "net", "org", "co.uk", "de", "example"];

/// A text of at least this many bytes that is a whole configuration, and less than a thousand more.
pub fn configuration(bytes: usize) -> String {
    let mut dice = Dice(0x5eed_0bad_cafe_f00d);
    let mut text = String::with_capacity(bytes + 2048);
    text.push_str(
        "/* Of all that follows only Security concerns Stepdown. */\n\n\
         Security {\n  user = ecuser\n  group = ecuser\n  Capabilities = \"cap_net_bind_service+ep\"\n}\n\n",
    );
    let mut number = 0;
    while text.len() < bytes {
        number += 1;
        match dice.below(100) {
            0..55 => domain(&mut text, &mut dice, number),
            55..70 => binding(&mut text, &mut dice, number),
            70..78 => listener(&mut text, &mut dice, number),
            78..84 => lists(&mut text, &mut dice, number),
            84..90 => module(&mut text, &mut dice, number),
            90..97 => comment(&mut text, &mut dice),
            _ => hook(&mut text, &mut dice, number),
        }
        text.push('\n');
    }
    text
}

fn name(dice: &mut Dice, number: usize) -> String {
    format!("{}{number}.{}.{}", dice.of(&WORDS), dice.of(&WORDS), dice.of(&ENDS))
}

fn value(dice: &mut Dice) -> String {
    let number = dice.below(90_000);
    match dice.below(10) {
        0..4 => format!("{number}"),
        4..6 => dice.of(&["true", "off", "yes", "no", "enabled", "required", "SMTP"]).to_string(),
        6 => format!("\"{}/{}\"", number % 500, 60),
        7 => format!("10.{}.{}.{}", number % 256, number % 251, number % 241),
        8 => format!("\"{}\"", name(dice, number)),
        _ => format!("0{:o}", number % 512),
    }
}

fn options(text: &mut String, dice: &mut Dice, indent: &str, most: usize) {
    let first = dice.below(OPTIONS.len());
    for at in 0..=dice.below(most) {
        let value = value(dice);
        text.push_str(&format!("{indent}{} = {value}", OPTIONS[(first + at * 7) % OPTIONS.len()]));
        if dice.below(12) == 0 {
            text.push_str("   # as they asked in spring");
        }
        text.push('\n');
    }
}

fn domain(text: &mut String, dice: &mut Dice, number: usize) {
    let name = name(dice, number);
    match dice.below(10) {
        0 => text.push_str(&format!("Domain \"/^(.*\\.)?{}$/\" {{\n", name.replace('.', "\\."))),
        1 => text.push_str(&format!("Domain {name}\n{{\n")),
        _ => text.push_str(&format!("Domain \"{name}\" {{\n")),
    }
    options(text, dice, "  ", 6);
    text.push_str("}\n");
}

fn binding(text: &mut String, dice: &mut Dice, number: usize) {
    text.push_str(&format!("Binding_Group \"pool-{number}\" {{\n"));
    for at in 0..=dice.below(3) {
        text.push_str(&format!("    Binding \"mx{at}-{number}\" {{\n"));
        options(text, dice, "        ", 4);
        text.push_str("    }\n");
    }
    text.push_str("}\n");
}

fn listener(text: &mut String, dice: &mut Dice, number: usize) {
    let (low, high) = (number % 250, number / 250 % 250);
    text.push_str(&format!(
        "ESMTP_Listener {{\n\tListen \"10.{high}.{low}.1:25\" {{\n\t\tConcurrency = 5000\n"
    ));
    options(text, dice, "\t\t", 3);
    text.push_str(&format!(
        "\t\tPeer \"10.{low}.{high}.0/24\" {{ Max_Recipients_Per_Batch = 1000 }}\n\t}}\n}}\n"
    ));
}

fn lists(text: &mut String, dice: &mut Dice, number: usize) {
    text.push_str(&format!("Relay_Hosts_{number} = ( 127.0.0.0/8"));
    for _ in 0..dice.below(8) {
        text.push_str(&format!(" 10.{}.{}.0/24", dice.below(256), dice.below(256)));
    }
    text.push_str(&format!(
        " )\nRoutes_{number} = (\"{}\", \"{}\")\n",
        name(dice, number),
        name(dice, number)
    ));
}

fn module(text: &mut String, dice: &mut Dice, number: usize) {
    let domain = name(dice, number);
    text.push_str(&format!(
        "opendkim \"opendkim{number}\" {{\n  base64_encoded_keys = no\n  dkim_domain \"{domain}\" {{\n    \
         key = \"/opt/etc/dkim/%{{d}}/%{{s}}.key\"\n    headers = ( From To Subject Date )\n  }}\n  \
         AuthLoginParameters = [ uri = \"digest:///opt/etc/auth\" realm = \"{domain}\" ]\n}}\n"
    ));
}

fn comment(text: &mut String, dice: &mut Dice) {
    if dice.below(4) == 0 {
        text.push_str("/* These were moved from the old cluster and are kept as they were there,\n   until the last of them has answered. */\n");
        return;
    }
    for _ in 0..=dice.below(3) {
        text.push_str("# Postmaster says that more than a few connections at once make them defer\n");
    }
}

fn hook(text: &mut String, dice: &mut Dice, number: usize) {
    let domain = name(dice, number);
    text.push_str(&format!(
        "scriptlet \"scriptlet{number}\" {{\n  script \"boot\" {{\n    source = '/opt/etc/hooks{number}.lua'\n    \
         text = \"if domain == \\\"{domain}\\\" then\n  print(\\\"# not a comment\\\")\nend\"\n  }}\n}}\n"
    ));
}
