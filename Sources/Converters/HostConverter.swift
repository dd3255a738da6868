import HostModel
import KernelInterface
import NetworkModel

/// The whole of a host: what must be realised in, the kernel objects and daemons that realise it out. A pure function: the same view and
/// settings give the same configuration in every run, so that a restart changes nothing.
public enum HostConverter {
    public struct Conversion: Hashable, Sendable {
        public var configuration: HostConfiguration
        /// Sentences about what this host cannot realise, sorted.
        public var problems: [String]
        /// The first sentence about each router that is among them.
        public var routerProblems: [ResourceID: String] = [:]
    }

    public static func convert(_ view: HostView, _ settings: AgentSettings) -> Conversion {
        var host = HostConfiguration()
        let layer2 = L2Converter.convert(view, settings)
        host.own.links = layer2.links
        host.own.forwarding = layer2.forwarding
        host.own.neighbours = layer2.neighbours
        host.own.sysctls = layer2.sysctls
        var problems = layer2.problems
        var routerProblems: [ResourceID: String] = [:]
        for pieces in view.dhcp.sorted(by: { $0.key < $1.key }).compactMap({ DHCPConverter.convert($0.value, view, settings) }) {
            host.namespaces[pieces.namespace] = pieces.configuration
            host.daemons[pieces.daemon.key] = pieces.daemon
            add(pieces.hostLink, to: &host, &problems)
        }
        for router in view.routers.values.sorted(by: { $0.id < $1.id }) {
            let pieces = RouterConverter.convert(router: router, settings: settings)
            host.namespaces[pieces.namespace] = pieces.configuration
            problems += pieces.problems.map { "router \(router.id): \($0)" }
            routerProblems[router.id] = pieces.problems.first
            for daemon in pieces.daemons { host.daemons[daemon.key] = daemon }
            for link in pieces.hostLinks { add(link, to: &host, &problems) }
        }
        host.own.firewall = SecurityGroupConverter.convert(view, links: host.own.links, settings)
        if let table = PortQuality.table(for: view) { host.own.firewall.append(table) }
        return Conversion(configuration: host, problems: problems.sorted(), routerProblems: routerProblems)
    }

    /// The outer end of a service's veth pair. Without its bridge it stays unplugged.
    private static func add(_ link: Link, to host: inout HostConfiguration, _ problems: inout [String]) {
        var link = link
        if let bridge = link.bridge, host.own.links[bridge] == nil {
            link.bridge = nil
            problems.append("device \(link.name): its network's bridge \(bridge) is not on this host")
        }
        host.own.links[link.name] = link
        let silence = L2Converter.silence(link.name)
        host.own.sysctls[silence.path] = silence.value
    }
}
