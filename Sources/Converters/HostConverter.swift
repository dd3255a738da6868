import HostModel
import KernelInterface
import NetworkModel

/// The whole of a host: what must be realised in, the kernel objects and daemons that realise it out. The same view and settings give the same
/// configuration in every run, so that a restart changes nothing.
///
/// It keeps what it converted, and converts again only what changed: DHCP network by network, routers one by one, the members of groups apart from
/// everything else. What is left as it was is the same storage as before, which whoever compares two configurations finds equal at once.
public struct HostConverter: Sendable {
    public struct Conversion: Hashable, Sendable {
        public var configuration: HostConfiguration
        /// Sentences about what this host cannot realise, sorted.
        public var problems: [String]
        /// The first sentence about each router that is among them.
        public var routerProblems: [ResourceID: String] = [:]
        /// Networks that this host does not carry as it shall.
        public var unrealisedNetworks: Set<ResourceID> = []
    }

    private let settings: AgentSettings
    private var layer2 = L2Converter.Pieces()
    private var dhcp: [ResourceID: DHCPConverter.Pieces] = [:]
    private var routers: [ResourceID: RouterPieces] = [:]
    private var groupTables: SecurityGroupTables
    private var quality: FirewallTable?
    private var announcements: FirewallTable?
    private var underlay: FirewallTable?
    /// Nil before the first conversion.
    private var last: Conversion?

    public init(settings: AgentSettings) {
        self.settings = settings
        groupTables = SecurityGroupTables(settings)
    }

    /// Everything from nothing.
    public static func convert(_ view: HostView, _ settings: AgentSettings) -> Conversion {
        var converter = HostConverter(settings: settings)
        return converter.convert(view, .everything)
    }

    /// - Parameter changes: at least what is different from the view of the call before.
    public mutating func convert(_ view: HostView, _ changes: HostChanges) -> Conversion {
        guard var result = last, !changes.isEverything else { return convertAll(view) }
        var hasNewLinks = false
        if changes.hasLayer2 {
            let new = L2Converter.convert(view, settings)
            hasNewLinks = new != layer2
            layer2 = new
        }
        for id in changes.dhcpNetworks where replaceDHCP(of: id, view, &result.configuration) { hasNewLinks = true }
        for id in changes.routers where replaceRouter(id, view, &result.configuration) { hasNewLinks = true }
        if hasNewLinks { linkUp(&result) }
        let (formerAnnouncements, formerUnderlay) = (announcements, underlay)
        // A router that is down is a member, too, and has no links.
        if !changes.routers.isEmpty { announcements = AnnouncementFilter.table(for: view) }
        if changes.hasLayer2 { underlay = UnderlayFilter.table(for: view, settings) }
        if hasNewLinks || announcements != formerAnnouncements || underlay != formerUnderlay || changes.hasFilters
            || !changes.memberGroups.isEmpty
        {
            if changes.hasFilters { quality = PortQuality.table(for: view) }
            result.configuration.own.firewall = firewall(view, links: result.configuration.own.links)
        }
        if !changes.routers.isEmpty || hasNewLinks { collectProblems(&result) }
        last = result
        return result
    }

    private mutating func convertAll(_ view: HostView) -> Conversion {
        var result = Conversion(configuration: HostConfiguration(), problems: [])
        layer2 = L2Converter.convert(view, settings)
        (dhcp, routers) = ([:], [:])
        for id in view.dhcp.keys { _ = replaceDHCP(of: id, view, &result.configuration) }
        for id in view.routers.keys { _ = replaceRouter(id, view, &result.configuration) }
        linkUp(&result)
        groupTables = SecurityGroupTables(settings)
        quality = PortQuality.table(for: view)
        announcements = AnnouncementFilter.table(for: view)
        underlay = UnderlayFilter.table(for: view, settings)
        result.configuration.own.firewall = firewall(view, links: result.configuration.own.links)
        collectProblems(&result)
        last = result
        return result
    }

    private mutating func firewall(_ view: HostView, links: [String: Link]) -> [FirewallTable] {
        groupTables.update(view, links: links) + [quality, announcements, underlay].compactMap { $0 }
    }

    // MARK: Namespaces

    /// True when the device on the host is another one.
    private mutating func replaceDHCP(of id: ResourceID, _ view: HostView, _ host: inout HostConfiguration) -> Bool {
        let old = dhcp.removeValue(forKey: id)
        let new = view.dhcp[id].flatMap { DHCPConverter.convert($0, view, settings) }
        dhcp[id] = new
        if let old, new == nil {
            host.namespaces[old.namespace] = nil
        }
        for daemon in old?.daemons ?? [] { host.daemons[daemon.key] = nil }
        if let new {
            host.namespaces[new.namespace] = new.configuration
            for daemon in new.daemons { host.daemons[daemon.key] = daemon }
        }
        return old?.hostLink != new?.hostLink
    }

    /// True when the devices on the host are others.
    private mutating func replaceRouter(_ id: ResourceID, _ view: HostView, _ host: inout HostConfiguration) -> Bool {
        let old = routers.removeValue(forKey: id)
        let new = view.routers[id].map { router in
            var pieces = RouterConverter.convert(router: router, settings: settings)
            MetadataConverter.addRouter(router, view, settings, to: &pieces)
            return pieces
        }
        routers[id] = new
        if let old {
            host.namespaces[old.namespace] = nil
            for daemon in old.daemons { host.daemons[daemon.key] = nil }
        }
        if let new {
            host.namespaces[new.namespace] = new.configuration
            for daemon in new.daemons { host.daemons[daemon.key] = daemon }
        }
        return old?.hostLinks != new?.hostLinks
    }

    // MARK: The host's own namespace

    /// Layer 2, and the outer ends of the services' veth pairs. Without its bridge one stays unplugged.
    private func linkUp(_ result: inout Conversion) {
        var own = result.configuration.own
        own.links = layer2.links
        own.forwarding = layer2.forwarding
        own.neighbours = layer2.neighbours
        own.sysctls = layer2.sysctls
        for link in serviceLinks {
            var link = link
            if lacksBridge(link) { link.bridge = nil }
            own.links[link.name] = link
            own.sysctls.merge(L2Converter.silence(link.name, mtu: link.mtu)) { $1 }
        }
        result.configuration.own = own
    }

    /// In an order of their own: of two with one name the last one counts.
    private var serviceLinks: [Link] {
        let ofDHCP = dhcp.sorted { $0.key < $1.key }.map(\.value.hostLink)
        return ofDHCP + routers.sorted { $0.key < $1.key }.flatMap(\.value.hostLinks)
    }

    private func lacksBridge(_ link: Link) -> Bool { link.bridge.map { layer2.links[$0] == nil } ?? false }

    private func collectProblems(_ result: inout Conversion) {
        var problems = layer2.problems
        for link in serviceLinks where lacksBridge(link) {
            problems.append("device \(link.name): its network's bridge \(link.bridge ?? "") is not on this host")
        }
        for (id, pieces) in routers { problems += pieces.problems.map { "router \(id): \($0)" } }
        result.problems = problems.sorted()
        result.routerProblems = routers.compactMapValues(\.problems.first)
        result.unrealisedNetworks = layer2.unrealised
    }
}
