/// What connects the hosts: two bridges in the namespace `fabric`, one for tunnels and control, one for the physical network.
///
///     h1 eth0 -- h1-under -- bridge underlay (192.0.2.254: the relay to the server)
///     h1 eth1 -- h1-phys --- bridge physical -- outside -- outside eth0 (203.0.113.1)
///
/// All of it is inside namespaces of the lab, so every lab can use the same addresses (RFC 5737: documentation).
public enum Underlay {
    /// Where agents reach the server.
    public static let controlAddress = "192.0.2.254"
    public static let controlPort = 9696
    /// The physical network and the outside host's address in it, which is the gateway of the external subnet.
    public static let physicalNetwork = "physnet1"
    public static let outsideAddress = "203.0.113.1"
    public static let outsidePrefix = "203.0.113.0/24"
    /// Hosts are numbered from 1; .254 is taken.
    public static let hostLimit = 200

    public static func hostAddress(_ number: Int) -> String { "192.0.2.\(number)" }

    /// The outer ends of a host's uplinks, in `fabric`.
    static func uplinks(of host: String) -> [String] { ["\(host)-under", "\(host)-phys"] }

    private static let bridgeOptions = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"

    static func build(fabric: Place, outside: Place, hosts: [Place]) throws {
        var lines = ["link add underlay \(bridgeOptions)", "link add physical \(bridgeOptions)"]
        lines += ["link set underlay up", "link set physical up", "address add \(controlAddress)/24 dev underlay"]
        lines += plug("outside", into: "physical", of: outside, as: "eth0")
        for host in hosts {
            let ends = uplinks(of: host.name)
            lines += plug(ends[0], into: "underlay", of: host, as: "eth0") + plug(ends[1], into: "physical", of: host, as: "eth1")
        }
        try fabric.batch(lines)
        try outside.batch(["address add \(outsideAddress)/24 dev eth0", "link set eth0 up"])
        for (index, host) in hosts.enumerated() {
            try host.batch(["address add \(hostAddress(index + 1))/24 dev eth0", "link set eth0 up", "link set eth1 up"])
        }
    }

    private static func plug(_ outer: String, into bridge: String, of place: Place, as inner: String) -> [String] {
        ["link add \(outer) type veth peer name \(inner) netns \(place.processID)", "link set \(outer) master \(bridge) up"]
    }
}
