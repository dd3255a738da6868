import KernelInterface

/// What a network's dnsmasq does not hear over DHCPv6: messages with which one client takes the address of another.
///
/// - Rebind (RFC 8415, section 18.2.5): dnsmasq leases the client whatever address of the subnet it names, whoever it is reserved for
///   (`DHCP6REBIND` in its rfc3315.c, as of 2.90), and refuses it to its owner for as long. A client whose server is there renews, and one whose
///   renewal finds no lease asks again.
/// - Relay-forward (section 19): a relay says which MAC its client has (RFC 6939), and nobody is a relay on a network of ours.
///
/// Fragments could hide the type, and no message needs them.
enum DHCPv6Filter {
    static let tableName = "neutrino_dhcp"

    /// In the DHCP namespace, where it counts for instances without port security too, and not for a DHCP server that a project runs itself.
    static let table: FirewallTable = {
        var table = FirewallTable(family: .ip6, name: tableName)
        let reasons = ["fragmented", "rebind", "relayed"]
        for reason in reasons { table.objects[reason] = .init(kind: "counter", lines: []) }
        // The type of the message is the first octet behind the UDP header.
        table.chains["input"] = .init(
            hook: "type filter hook input priority filter; policy accept;",
            rules: [
                "exthdr frag exists counter name fragmented drop",
                "udp dport 547 @th,64,8 6 counter name rebind drop",
                "udp dport 547 @th,64,8 12 counter name relayed drop",
            ])
        return table
    }()
}
