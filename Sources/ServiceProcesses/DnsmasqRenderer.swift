import Addressing
import Glibc
import KernelInterface

/// The command line and the files of a dnsmasq.
///
/// A new or deleted port changes `host` and `addn_hosts`, which dnsmasq reads again on SIGHUP; so are options (`opts`). Only what is in the
/// command line (subnets, MTU, lease time) costs a restart, which clients do not notice: leases are kept in a file. So does the first or the last
/// option of a port (`tags`).
///
/// There is no `set:` in `host`: dnsmasq 2.90 crashes on SIGHUP when a host with a tag holds a lease. Ports with options of their own have their
/// tags by their MACs, in `tags`, which dnsmasq reads only when it starts.
public enum DnsmasqRenderer {
    /// dnsmasq's own limit for `--dhcp-lease-max` in Neutron: as many leases as a /8 has addresses.
    public static let maximumLeases = 16_777_216

    /// How large a log of messages may be before it is moved aside: some 100,000 conversations. An agent looks with each comparison of everything.
    public static let logLimitBytes = 16 << 20

    /// The daemon's key: `dnsmasq/<name>`.
    public static func key(_ name: String) -> String { "dnsmasq/\(name)" }

    public static func daemon(_ configuration: DnsmasqConfiguration) -> DaemonConfiguration {
        let directory = configuration.directory
        // A wrong line in `opts` is logged and left out, so that no port can take the whole network's DHCP away.
        return DaemonConfiguration(
            key: key(configuration.name), namespace: configuration.namespace, command: command(configuration),
            processIDFile: "\(directory)/pid", mark: "--pid-file=\(directory)/pid",
            files: [
                ConfigurationFile(path: "\(directory)/host", contents: hosts(configuration), onChange: .signal(SIGHUP)),
                ConfigurationFile(path: "\(directory)/addn_hosts", contents: names(configuration), onChange: .signal(SIGHUP)),
                ConfigurationFile(path: "\(directory)/opts", contents: options(configuration), onChange: .signal(SIGHUP)),
                ConfigurationFile(path: "\(directory)/tags", contents: tags(configuration), onChange: .restart),
                ConfigurationFile(
                    path: configuration.leasesPath, contents: firstLeases(configuration), onChange: .none, isInitial: true),
            ],
            directory: directory,
            growingLog: configuration.logsMessages ? GrowingLog(path: configuration.logPath, limitBytes: logLimitBytes) : nil,
            stopSignal: SIGTERM)
    }

    static func command(_ configuration: DnsmasqConfiguration) -> [String] {
        let directory = configuration.directory
        var command = [
            "dnsmasq", "--conf-file=\(directory)/tags", "--no-hosts", "--no-resolv", "--bind-dynamic",
            "--interface=\(configuration.interface)",
            // dnsmasq serves the loopback device as well unless it is told not to.
            "--except-interface=lo", "--pid-file=\(directory)/pid", "--dhcp-hostsfile=\(directory)/host",
            "--addn-hosts=\(directory)/addn_hosts", "--dhcp-optsfile=\(directory)/opts", "--dhcp-leasefile=\(configuration.leasesPath)",
            // A client is its MAC, which the bridges hold instances to; an identifier it could borrow, to end somebody else's lease.
            "--dhcp-ignore-clid", "--dhcp-match=set:ipxe,175", "--dhcp-option-force=option:mtu,\(configuration.mtu)",
            "--dhcp-lease-max=\(leaseLimit(configuration.subnets))",
        ]
        // `static`: only hosts of the hosts file are answered.
        for (index, subnet) in configuration.subnets.enumerated() {
            let size = subnet.prefix.version == .v4 ? "\(netmask(subnet.prefix))" : "\(subnet.prefix.length)"
            command.append("--dhcp-range=set:tag\(index),\(subnet.prefix.address),static,\(size),\(leaseTime(configuration.leaseSeconds))")
        }
        if configuration.logsMessages { command += ["--log-dhcp", "--log-facility=\(configuration.logPath)"] }
        if !configuration.domain.isEmpty { command.append("--domain=\(configuration.domain)") }
        return command
    }

    /// `MAC,name,address`: the text behind `--dhcp-host=`. A line per IPv4 address, of which dnsmasq takes the one that fits the subnet; all
    /// IPv6 addresses of a host on one line, since a client may ask for one of each subnet at once. dnsmasq knows a DHCPv6 client's MAC
    /// from the kernel's neighbours.
    static func hosts(_ configuration: DnsmasqConfiguration) -> String {
        var lines: [String] = []
        var addresses: [String: [String]] = [:]
        var hosts: [String] = []
        for reservation in sorted(configuration) {
            let host = "\(reservation.mac),\(fullName(reservation, configuration))"
            guard reservation.address.version == .v6 else {
                lines.append("\(host),\(reservation.address)")
                continue
            }
            if addresses[host] == nil { hosts.append(host) }
            addresses[host, default: []].append("[\(reservation.address)]")
        }
        lines += hosts.map { host in ([host] + (addresses[host] ?? [])).joined(separator: ",") }
        return Self.lines(lines)
    }

    /// The lease file that a new server of the network begins with. Its clients may have leases of another host's server, which is gone: of an address
    /// that dnsmasq knows no lease of, a renewal is refused, and the client gives it up. A lease without an end (0) gets one when its client renews it.
    ///
    /// The server's DUID (RFC 8415, section 11.4: type 3, of a MAC) goes with the network's DHCP port, and renewals over IPv6 are for it alone.
    static func firstLeases(_ configuration: DnsmasqConfiguration) -> String {
        let leased = sorted(configuration).filter { reservation in
            reservation.address.version == .v4 && configuration.subnets.contains { $0.prefix.contains(reservation.address) }
        }
        return lines(leased.map { "0 \($0.mac) \($0.address) * *" } + ["duid 00:03:00:01:\(configuration.mac)"])
    }

    /// hosts(5).
    static func names(_ configuration: DnsmasqConfiguration) -> String {
        lines(
            configuration.names.sorted { ($0.address, $0.names.first ?? "") < ($1.address, $1.names.first ?? "") }.map { name in
                "\(name.address)\t" + name.names.joined(separator: " ")
            })
    }

    /// Which MACs have which tags.
    static func tags(_ configuration: DnsmasqConfiguration) -> String {
        lines(configuration.options.sorted { $0.tag < $1.tag }.map { "dhcp-mac=set:\($0.tag),\($0.mac)" })
    }

    /// Options of single ports. They stand behind those of subnets: of two that fit, dnsmasq takes the later one.
    private static func portOptions(_ configuration: DnsmasqConfiguration) -> [String] {
        configuration.options.sorted { $0.tag < $1.tag }.flatMap { port in
            port.options.filter { isOneLine($0.name) && isOneLine($0.value) }.map { option in
                let (extraTag, name) = split(option.name)
                let isNumber = name.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                let named = option.version == .v6 ? "option6:\(name)" : isNumber ? name : "option:\(name)"
                let parts = ["tag:\(port.tag)", extraTag, named, option.value]
                return parts.filter { !$0.isEmpty }.joined(separator: ",")
            }
        }
    }

    /// `tag:ipxe,bootfile-name` is an option for clients that have another tag as well.
    private static func split(_ name: String) -> (tag: String, name: String) {
        guard name.hasPrefix("tag:"), let comma = name.lastIndex(of: ",") else { return ("", name) }
        return (String(name[..<comma]), String(name[name.index(after: comma)...]))
    }

    private static func isOneLine(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 && $0.value != 0x85 && $0.value != 0x2028 && $0.value != 0x2029 }
    }

    /// The text behind `--dhcp-option=`, for each subnet under the tag of its range. An option without a value is not sent, not even
    /// where dnsmasq would announce itself.
    static func options(_ configuration: DnsmasqConfiguration) -> String {
        lines(
            configuration.subnets.enumerated().flatMap { index, subnet in
                let tag = "tag:tag\(index)"
                if subnet.prefix.version == .v6 { return options6(subnet, tag, configuration) }
                var options = [(["\(tag),option:dns-server"] + subnet.dnsServers.map(\.description)).joined(separator: ",")]
                let routes = classlessRoutes(subnet)
                if !routes.isEmpty {
                    // 249 is the number under which old Windows asks for it.
                    options.append("\(tag),option:classless-static-route,\(routes)")
                    options.append("\(tag),249,\(routes)")
                }
                options.append(subnet.gateway.map { "\(tag),option:router,\($0)" } ?? "\(tag),option:router")
                return options
            } + portOptions(configuration))
    }

    private static func options6(_ subnet: DnsmasqConfiguration.Subnet, _ tag: String, _ configuration: DnsmasqConfiguration) -> [String] {
        let servers = subnet.dnsServers.map { "[\($0)]" }
        let options = [(["\(tag),option6:dns-server"] + servers).joined(separator: ",")]
        return configuration.domain.isEmpty ? options : options + ["\(tag),option6:domain-search,\(configuration.domain)"]
    }

    /// A client that gets classless routes ignores the router option (RFC 3442), so the default route is among them.
    private static func classlessRoutes(_ subnet: DnsmasqConfiguration.Subnet) -> String {
        guard !subnet.routes.isEmpty else { return "" }
        var routes = subnet.routes.map { "\($0.destination),\($0.nextHop)" }
        let hasDefault = subnet.routes.contains { $0.destination.length == 0 }
        if let gateway = subnet.gateway, !hasDefault { routes.append("0.0.0.0/0,\(gateway)") }
        return routes.joined(separator: ",")
    }

    private static func leaseTime(_ seconds: Int) -> String {
        seconds == DnsmasqConfiguration.infiniteLeaseSeconds ? "infinite" : "\(seconds)s"
    }

    private static func leaseLimit(_ subnets: [DnsmasqConfiguration.Subnet]) -> Int {
        subnets.reduce(0) { limit, subnet in
            let bits = subnet.prefix.version.addressBits - subnet.prefix.length
            return bits > 24 ? maximumLeases : min(limit + 1 << bits, maximumLeases)
        }
    }

    private static func netmask(_ prefix: IPPrefix) -> IPv4Address {
        IPv4Address(rawValue: prefix.length == 0 ? 0 : UInt32.max << UInt32(32 - prefix.length))
    }

    private static func sorted(_ configuration: DnsmasqConfiguration) -> [DnsmasqConfiguration.Reservation] {
        configuration.reservations.sorted { ($0.address, $0.mac) < ($1.address, $1.mac) }
    }

    private static func fullName(_ reservation: DnsmasqConfiguration.Reservation, _ configuration: DnsmasqConfiguration) -> String {
        configuration.domain.isEmpty ? reservation.hostname : "\(reservation.hostname).\(configuration.domain)"
    }

    private static func lines(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }
}
