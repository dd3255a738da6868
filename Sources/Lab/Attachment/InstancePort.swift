import APISchema

/// What a port and an instance have to do with each other, whoever runs the instance: as Nova does it.
public enum InstancePort {
    public static let deviceOwner = "compute:nova"

    /// The device on the host that the agent plugs into the network: "tap" and the first 11 characters of the port's id.
    public static func tapName(portID: String) -> String { "tap" + portID.prefix(11) }

    /// The attributes that bind a port to a host and say who uses it.
    static func binding(host: String, deviceID: String) -> [String: JSONValue] {
        ["binding:host_id": .string(host), "device_owner": .string(deviceOwner), "device_id": .string(deviceID)]
    }

    /// A random version 4 UUID (RFC 9562), as Nova gives its instances.
    static func makeDeviceID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array("0123456789abcdef")
        return bytes.enumerated().map { index, byte in
            ([4, 6, 8, 10].contains(index) ? "-" : "") + String([digits[Int(byte >> 4)], digits[Int(byte & 15)]])
        }.joined()
    }

    /// Lines for `ip -batch` that make the veth between the tap and a device in a namespace, which `ip` knows by its name or by a process in it. The
    /// agent brings the tap up in its bridge, behind its rules: before, the host itself would listen to it.
    static func wiring(tap: String, device: String = "eth0", mac: String, mtu: Int?, namespace: String) -> [String] {
        let size = mtu.map { "mtu \($0)" } ?? ""
        return ["link add \(tap) \(size) type veth peer name \(device) address \(mac) \(size) netns \(namespace)"]
    }
}

/// One address of a port, with what the instance must know of its subnet.
public struct PortAddress: Hashable, Sendable {
    public var address: String
    public var prefixLength: Int
    public var gateway: String?
    /// Whether DHCP (of IPv4) gives it out.
    public var isServedByDHCP: Bool
    var hostRoutes: [HostRoute]
    public var isIPv4: Bool { SocketAddress.isIPv4(address) }

    struct HostRoute: Hashable, Sendable {
        var destination: String
        var nextHop: String
    }

    /// Those of a port, in its order.
    static func all(of port: JSONValue, _ api: APIClient) async throws -> [PortAddress] {
        var addresses: [PortAddress] = []
        for fixed in port["fixed_ips"]?.arrayValue ?? [] {
            let subnet = try await api.show("subnets", try fixed.text("subnet_id"))
            let length = try subnet.text("cidr").split(separator: "/").last.flatMap { Int($0) } ?? 24
            let routes = (subnet["host_routes"]?.arrayValue ?? []).compactMap { route -> HostRoute? in
                guard let destination = route["destination"]?.stringValue, let hop = route["nexthop"]?.stringValue else { return nil }
                return HostRoute(destination: destination, nextHop: hop)
            }
            addresses.append(
                PortAddress(
                    address: try fixed.text("ip_address"), prefixLength: length, gateway: subnet["gateway_ip"]?.stringValue,
                    isServedByDHCP: subnet["enable_dhcp"]?.boolValue == true && subnet["ip_version"]?.integerValue == 4, hostRoutes: routes)
            )
        }
        return addresses
    }

    /// Lines for `ip -batch` inside the instance. The first gateway of each family is the default route.
    static func configuration(_ addresses: [PortAddress], device: String) -> [String] {
        var lines = addresses.map { "address replace \($0.address)/\($0.prefixLength) dev \(device)" + ($0.isIPv4 ? "" : " nodad") }
        for isIPv4 in [true, false] {
            let ofFamily = addresses.filter { $0.isIPv4 == isIPv4 }
            if let gateway = ofFamily.lazy.compactMap(\.gateway).first {
                lines.append("route replace default via \(gateway) dev \(device)")
            }
            lines += ofFamily.flatMap(\.hostRoutes).map { "route replace \($0.destination) via \($0.nextHop) dev \(device)" }
        }
        return lines
    }
}

/// busybox's DHCP client, run once: it leaves when it has a lease.
enum DHCPClient {
    static let timeoutMilliseconds = 30_000
    /// So long it begins again when it is not answered, as clients of machines do. By itself it would leave (`-n`) when an offer's acknowledgement is
    /// not there after 3 s, which a loaded host may take.
    static let patienceSeconds = 20

    static func command(device: String, script: String) -> [String] {
        [
            "timeout", "\(patienceSeconds)", "busybox", "udhcpc", "-i", device, "-f", "-q", "-t", "5", "-T", "1", "-A", "1", "-O", "121",
            "-O", "mtu",
            "-s", script,
        ]
    }

    /// What udhcpc runs when it got or lost a lease (its README.udhcpc).
    ///
    /// - Parameter resolverFile: where name servers are written to; nil: nowhere.
    static func script(resolverFile: String?) -> String {
        let resolver = resolverFile.map { "\n    : > \($0)\n    for server in $dns; do echo \"nameserver $server\" >> \($0); done" } ?? ""
        return """
            #!/bin/sh
            case "$1" in
            deconfig) ip address flush dev "$interface" scope global; ip link set "$interface" up ;;
            bound|renew)
                ip address replace "$ip/$mask" broadcast + dev "$interface"
                [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
                if [ -n "$staticroutes" ]; then
                    set -- $staticroutes
                    while [ $# -ge 2 ]; do
                        if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"; else ip route replace "$1" via "$2"; fi
                        shift 2
                    done
                elif [ -n "$router" ]; then ip route replace default via "${router%% *}"; fi\(resolver) ;;
            esac
            """
    }
}
