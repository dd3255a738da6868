import Addressing

/// The protocols of security group rules by the names that the Networking API knows, with IANA's numbers
/// (https://www.iana.org/assignments/protocol-numbers).
enum NetworkProtocol: Hashable {
    case any
    case number(Int)

    private static let numbers: [String: Int] = [
        "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4, "ipv6-encap": 41,
        "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46,
        "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
    ]

    /// Reads a rule's protocol: nil, `any` and 0 mean any. ICMP in a rule for IPv6 means ICMPv6, as it always did in Neutron.
    /// Nil when the text is neither a known name nor 0...255: such a rule permits nothing.
    init?(_ text: String?, version: IPVersion) {
        guard let text = text?.lowercased(), text != "any" else {
            self = .any
            return
        }
        guard let number = Self.numbers[text] ?? Int(text), (0...255).contains(number) else { return nil }
        switch (number, version) {
        case (0, _): self = .any
        case (1, .v6): self = .number(58)
        default: self = .number(number)
        }
    }

    /// Nil for any.
    var number: Int? {
        switch self {
        case .any: nil
        case .number(let number): number
        }
    }
}
