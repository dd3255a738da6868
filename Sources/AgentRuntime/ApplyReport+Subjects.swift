import Converters
import Drivers
import KernelInterface
import NetworkModel
import ServiceProcesses

// Whether something that a report is about could not be realised. Where there are more failures than the report lists, anything may be
// among them.
extension ApplyReport {
    var isCutShort: Bool { failureCount > failures.count }

    /// A link of the host's own namespace, or what guards it: a firewall that could not be loaded concerns every port.
    func concerns(link name: String) -> Bool {
        isCutShort || failures.contains { $0.subject == .link(name, nil) || $0.subject == .firewall(nil) || $0.subject == .namespace(nil) }
    }

    /// The rules of instances' ports.
    var concernsFirewall: Bool {
        isCutShort || failures.contains { $0.subject == .firewall(nil) || $0.subject == .namespace(nil) }
    }

    /// The DHCP service of a network.
    func concerns(network id: ResourceID) -> Bool {
        let namespace = DHCPConverter.namespace(id)
        let daemon = DnsmasqRenderer.key(id.description)
        return isCutShort || failures.contains { $0.subject.namespace == namespace || $0.subject == .daemon(daemon) }
    }

    /// Whether the DHCP service of a network is only coming up, be it again: a dnsmasq that ends to be started again has not read of new ports.
    func isStarting(network id: ResourceID) -> Bool {
        let key = DnsmasqRenderer.key(id.description)
        return startingDaemons.contains(key) || unreadyDaemons.contains(key) && !concerns(network: id)
    }

    /// Whether a daemon of the router is only coming up.
    func isStarting(router id: ResourceID) -> Bool {
        !startingDaemons.isEmpty && Self.daemonKeys(ofRouter: id).contains(where: startingDaemons.contains)
    }

    /// Routers whose keepalived was started, stopped or told something, or does not run as it should: one that cannot be started leaves what
    /// the one before it held.
    var routersOfKeepalived: Set<ResourceID> {
        let failed = failures.compactMap { failure in
            if case .daemon(let key) = failure.subject { key } else { nil }
        }
        return Set((daemonActions.map(\.key) + failed).compactMap { KeepalivedDaemon.router(ofKey: $0).flatMap { ResourceID($0) } })
    }

    /// A router: its namespace or one of its daemons.
    func concerns(router id: ResourceID) -> Bool {
        isCutShort || failures.contains { Self.isPart($0.subject, ofRouter: id) }
    }

    /// What failed of a router, in a sentence; nil when nothing did that is listed.
    func failure(ofRouter id: ResourceID) -> String? {
        failures.first { Self.isPart($0.subject, ofRouter: id) }?.description
    }

    /// The daemons that a router may have.
    static func daemonKeys(ofRouter id: ResourceID) -> [String] {
        let name = id.description
        return [KeepalivedDaemon.key(router: name), ConntrackdDaemon.key(router: name), RadvdDaemon.key(router: name)]
    }

    private static func isPart(_ subject: Subject, ofRouter id: ResourceID) -> Bool {
        if case .daemon(let key) = subject { return daemonKeys(ofRouter: id).contains(key) }
        return subject.namespace == RouterConverter.namespace(of: id)
    }
}
