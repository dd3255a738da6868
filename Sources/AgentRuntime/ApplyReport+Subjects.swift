import Converters
import Drivers
import KernelInterface
import NetworkModel
import ServiceProcesses

// Whether something that a report is about could not be realised. Where there are more failures than the report lists, anything may be
// among them.
extension ApplyReport {
    private var isCutShort: Bool { failureCount > failures.count }

    /// A link of the host's own namespace, or what guards it: a firewall that could not be loaded concerns every port.
    func concerns(link name: String) -> Bool {
        isCutShort || failures.contains { $0.subject == .link(name, nil) || $0.subject == .firewall(nil) || $0.subject == .namespace(nil) }
    }

    /// The DHCP service of a network.
    func concerns(network id: ResourceID) -> Bool {
        let namespace = DHCPConverter.namespace(id)
        return isCutShort || failures.contains { $0.subject.namespace == namespace || $0.subject == .daemon("dnsmasq/\(id)") }
    }

    /// Whether a daemon does not run as it should: a keepalived that cannot be started leaves what the one before it held.
    var concernsDaemons: Bool {
        failures.contains { failure in
            if case .daemon = failure.subject { true } else { false }
        }
    }

    /// A router: its namespace or one of its daemons.
    func concerns(router id: ResourceID) -> Bool {
        let namespace = RouterConverter.namespace(of: id)
        let name = id.description
        let keys = [KeepalivedDaemon.key(router: name), ConntrackdDaemon.key(router: name), RadvdDaemon.key(router: name)]
        let daemons = Set(keys.map { Subject.daemon($0) })
        return isCutShort || failures.contains { $0.subject.namespace == namespace || daemons.contains($0.subject) }
    }
}
