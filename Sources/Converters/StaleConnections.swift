import Addressing
import HostModel

/// Connections whose translation the router's configuration does not give: through floating IPs, forwardings or gateway addresses that were
/// taken away, or lead elsewhere, while nobody watched. It needs no older configuration, only what `conntrack -L` says.
public enum StaleConnections {
    /// Connections that one round ends; of more, the rest ends by itself.
    public static let maximumDeletions = 65_536

    /// Words of the command that lists the IPv4 connections of the namespace that a router's configuration may forbid, on standard output: only the
    /// translated ones, unless address scopes forbid others too.
    ///
    /// - Parameter changesScopes: whether the router had scopes before: see ``ConntrackFlush/changesScopes``.
    public static func listing(for router: HostRouter, changesScopes: Bool) -> [String] {
        let all = ["conntrack", "-L", "-f", "ipv4"]
        return changesScopes || RouterScopes.areUsed(by: router) ? all : all + ["-j"]
    }

    /// The lines of a file for `conntrack -R`, which does all of them in one process; empty when every connection is as it should be. A
    /// connection that ended meanwhile is no failure of the others.
    ///
    /// - Parameter list: What ``listing(for:changesScopes:)`` said.
    public static func deletions(_ list: String, for router: HostRouter) -> [String] {
        let translation = Translation(router)
        var lines: [String] = []
        // A list that was cut ends inside a line, perhaps inside an address.
        guard let end = list.lastIndex(of: "\n") else { return lines }
        for line in list[..<end].split(separator: "\n") {
            guard lines.count < maximumDeletions, let connection = Connection(line), !translation.gives(connection) else { continue }
            lines.append(connection.deletion)
        }
        return lines
    }
}

/// What a router's configuration makes of addresses and ports.
private struct Translation {
    private struct Endpoint: Hashable {
        var protocolNumber: Int
        var address: IPAddress
    }

    private var fixed: [IPAddress: IPAddress] = [:]
    /// IPv4 addresses of gateways.
    private var sources: Set<IPAddress> = []
    /// Those of gateways that translate.
    private var translatingSources: Set<IPAddress> = []
    private var forwardings: [Endpoint: [HostRouter.PortForwarding]] = [:]
    private let areas: RouterScopes.Areas

    init(_ router: HostRouter) {
        areas = RouterScopes.Areas(router)
        let gateways = RouterGateways(router).all
        guard router.isAdminStateUp, !gateways.isEmpty else { return }
        for gateway in gateways {
            let addresses = gateway.port.addresses.map(\.address).filter { $0.version == .v4 }
            sources.formUnion(addresses)
            if gateway.isSNATEnabled { translatingSources.formUnion(addresses) }
            for floating in gateway.floatingIPs where floating.address.version == .v4 { fixed[floating.address] = floating.fixedAddress }
        }
        for forwarding in RouterForwardings.effective(router) {
            let endpoint = Endpoint(protocolNumber: forwarding.protocolNumber, address: forwarding.externalAddress)
            forwardings[endpoint, default: []].append(forwarding)
        }
    }

    func gives(_ connection: Connection) -> Bool {
        let isRedirected = connection.redirectedAddress != connection.destination || connection.redirectedPort != connection.destinationPort
        if isRedirected, !redirects(connection) { return false }
        if connection.translatedSource == connection.source {
            // What is redirected may go into any scope.
            return isRedirected || areas.areOne(connection.source, connection.destination)
        }
        if let owner = fixed[connection.translatedSource] { return owner == connection.source }
        // The gateway's address speaks for all, and without source translation still for hairpins.
        let source = connection.translatedSource
        let isTranslated = translatingSources.contains(source) && !areas.isRouted(connection.source, by: source)
        return isTranslated || isRedirected && sources.contains(connection.translatedSource)
    }

    private func redirects(_ connection: Connection) -> Bool {
        if let address = fixed[connection.destination] { return address == connection.redirectedAddress }
        let endpoint = Endpoint(protocolNumber: connection.protocolNumber, address: connection.destination)
        guard let port = connection.destinationPort,
            let forwarding = forwardings[endpoint]?.first(where: { $0.externalPorts.contains(port) })
        else { return false }
        let offset = forwarding.internalPorts.count == 1 ? 0 : port - forwarding.externalPorts.lowerBound
        return connection.redirectedAddress == forwarding.internalAddress
            && connection.redirectedPort == forwarding.internalPorts.lowerBound + offset
    }
}

/// One line of `conntrack -L`: `tcp 6 431999 ESTABLISHED src=A dst=B sport=1 dport=2 src=C dst=D sport=3 dport=4 [ASSURED] mark=0 use=1`,
/// the first addresses and ports as the client sent them, the second as the answers come.
private struct Connection {
    var protocolNumber: Int
    var source: IPAddress
    var destination: IPAddress
    var sourcePort: Int?
    var destinationPort: Int?
    /// Where answers come from.
    var redirectedAddress: IPAddress
    var redirectedPort: Int?
    /// Where answers go to.
    var translatedSource: IPAddress

    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count > 2, let number = Int(words[1]) else { return nil }
        var values: [Substring: [Substring]] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0], default: []].append(parts[1]) }
        }
        let sources = (values["src"] ?? []).compactMap { IPAddress($0) }
        let destinations = (values["dst"] ?? []).compactMap { IPAddress($0) }
        guard sources.count == 2, destinations.count == 2 else { return nil }
        protocolNumber = number
        (source, redirectedAddress) = (sources[0], sources[1])
        (destination, translatedSource) = (destinations[0], destinations[1])
        let sourcePorts = (values["sport"] ?? []).compactMap { Int($0) }
        let destinationPorts = (values["dport"] ?? []).compactMap { Int($0) }
        if sourcePorts.count == 2, destinationPorts.count == 2 {
            (sourcePort, destinationPort, redirectedPort) = (sourcePorts[0], destinationPorts[0], sourcePorts[1])
        }
    }

    /// Without ports (ICMP) all of the protocol between the two addresses: they have the same translation.
    var deletion: String {
        var line = "-D -f ipv4 -p \(protocolNumber) -s \(source) -d \(destination)"
        if let sourcePort, let destinationPort { line += " --sport \(sourcePort) --dport \(destinationPort)" }
        return line
    }
}
