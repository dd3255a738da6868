/// A helper of connection tracking as the kernel names it: it reads a protocol's control connection and lets the connections that are
/// arranged in there through.
public struct TrackingHelper: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var name: String
    /// 6 (TCP) or 17 (UDP).
    public var protocolNumber: Int

    public init(name: String, protocolNumber: Int) {
        self.name = name
        self.protocolNumber = protocolNumber
    }

    /// Every helper that Linux has, under the protocols that it registers for. H.323 has two: Q.931 on TCP and RAS on UDP.
    public static let all: Set<TrackingHelper> = [
        TrackingHelper(name: "amanda", protocolNumber: 17), TrackingHelper(name: "ftp", protocolNumber: 6),
        TrackingHelper(name: "Q.931", protocolNumber: 6), TrackingHelper(name: "RAS", protocolNumber: 17),
        TrackingHelper(name: "irc", protocolNumber: 6), TrackingHelper(name: "netbios-ns", protocolNumber: 17),
        TrackingHelper(name: "pptp", protocolNumber: 6), TrackingHelper(name: "sane", protocolNumber: 6),
        TrackingHelper(name: "sip", protocolNumber: 6), TrackingHelper(name: "sip", protocolNumber: 17),
        TrackingHelper(name: "snmp", protocolNumber: 17), TrackingHelper(name: "tftp", protocolNumber: 17),
    ]

    public static func < (left: TrackingHelper, right: TrackingHelper) -> Bool {
        (left.name, left.protocolNumber) < (right.name, right.protocolNumber)
    }

    public var description: String { "\(name)/\(protocolNumber == 6 ? "tcp" : "udp")" }
}
