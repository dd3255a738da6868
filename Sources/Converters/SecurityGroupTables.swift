import HostModel
import KernelInterface
import NetworkModel

/// The tables of a host's security groups, with what they were made of: what changes costs what it is, however many ports and members there are.
///
/// A value that was carried from view to view holds what a fresh one makes of the last view. Sets that did not change keep their storage, so that
/// comparing them with what was loaded costs nothing.
public struct SecurityGroupTables: Sendable {
    /// What one port adds to the sets.
    private struct Port: Sendable {
        var device: String
        var elements: [SecurityGroupTable.Element]
        /// Nil for a port that is trusted.
        var combination: [ResourceID]?
    }

    private let hasBridgeConntrack: Bool
    private let physicalInterfaces: Set<String>
    private var view = HostView()
    private var table: SecurityGroupTable
    private var connectionState: FirewallTable?
    private var services: Set<String> = []
    private var zones: [String: Int] = [:]
    private var ports: [ResourceID: Port] = [:]
    /// How many ports have each combination of groups, sorted by id.
    private var combinations: [[ResourceID]: Int] = [:]
    private var remotes: [RemoteGroup: RemoteGroupSets] = [:]

    public init(_ settings: AgentSettings) {
        hasBridgeConntrack = settings.hasBridgeConntrack
        physicalInterfaces = Set(settings.physicalNetworks.values)
        table = SecurityGroupTable(hasBridgeConntrack: hasBridgeConntrack)
        if !hasBridgeConntrack { connectionState = ConnectionStateTable.table([:]) }
    }

    /// The tables of the view.
    ///
    /// - Parameter links: as ``SecurityGroupConverter/convert(_:links:_:)`` takes them.
    mutating func update(_ new: HostView, links: [String: Link]) -> [FirewallTable] {
        let old = view
        view = new
        updateZones(links)
        table.setUplinks(links, physicalInterfaces: physicalInterfaces)
        let hasNewCombinations = updateDevices(from: old, services: Self.services(links))
        let hasNewGroups = hasNewCombinations || old.securityGroups != new.securityGroups
        if hasNewGroups { selectRemotes() }
        if updateRemotes() || hasNewGroups { table.setGroups(combinations.keys.sorted(by: Self.precedes), remotes, new.securityGroups) }
        return [table.table] + [connectionState].compactMap { $0 }
    }

    private static func precedes(_ left: [ResourceID], _ right: [ResourceID]) -> Bool { left.lexicographicallyPrecedes(right) }

    // MARK: Zones

    private mutating func updateZones(_ links: [String: Link]) {
        let assigned = ConntrackZones.assign(view.networks.keys)
        let bridgeZones = Dictionary(assigned.map { (L2Names.bridge($0), $1) }, uniquingKeysWith: { first, _ in first })
        if hasBridgeConntrack {
            table.setZones(links, bridgeZones)
        } else if zones != bridgeZones {
            connectionState = ConnectionStateTable.table(bridgeZones)
        }
        zones = bridgeZones
    }

    private static func services(_ links: [String: Link]) -> Set<String> {
        Set(links.values.lazy.filter(SecurityGroupConverter.isService).map(\.name))
    }

    // MARK: Ports

    /// Removes what went before it inserts what came: a device may have gone from a service to a port or back, or be both's.
    ///
    /// - Returns: whether a combination of groups came or went.
    private mutating func updateDevices(from old: HostView, services current: Set<String>) -> Bool {
        let before = Set(combinations.keys)
        // A port has only those of its groups that are there.
        let haveGroupsChanged = old.securityGroups != view.securityGroups && old.securityGroups.keys != view.securityGroups.keys
        let havePortsChanged = haveGroupsChanged || old.ports != view.ports
        let stale = services.subtracting(current)
        for device in stale { table.remove(SecurityGroupTable.trusting(device)) }
        if havePortsChanged {
            for port in old.ports.all where haveGroupsChanged || view.ports[port.id] != port { drop(port.id, services: current) }
        }
        for device in current.subtracting(services) { table.insert(SecurityGroupTable.trusting(device)) }
        services = current
        if havePortsChanged {
            for port in view.ports.all where haveGroupsChanged || old.ports[port.id] != port { add(port) }
        }
        if !stale.isEmpty {
            for port in ports.values where stale.contains(port.device) { table.insert(port.elements) }
        }
        return havePortsChanged && before != Set(combinations.keys)
    }

    private mutating func add(_ port: HostPort) {
        guard port.isAdminStateUp else { return }
        let entry: Port
        if port.isPortSecurityEnabled {
            let groups = Set(port.securityGroupIDs.filter { view.securityGroups[$0] != nil }).sorted()
            combinations[groups, default: 0] += 1
            entry = Port(device: port.deviceName, elements: SecurityGroupTable.guarding(port, groups: groups), combination: groups)
        } else {
            entry = Port(device: port.deviceName, elements: SecurityGroupTable.trusting(port.deviceName), combination: nil)
        }
        table.insert(entry.elements)
        ports[port.id] = entry
    }

    private mutating func drop(_ id: ResourceID, services current: Set<String>) {
        guard let entry = ports.removeValue(forKey: id) else { return }
        table.remove(entry.elements)
        if current.contains(entry.device) { table.insert(SecurityGroupTable.trusting(entry.device)) }
        guard let groups = entry.combination, let count = combinations[groups] else { return }
        combinations[groups] = count > 1 ? count - 1 : nil
    }

    // MARK: Remote groups

    /// Keeps those that rules of groups in use name.
    private mutating func selectRemotes() {
        var needed: Set<RemoteGroup> = []
        for id in Set(combinations.keys.joined()) {
            for rule in view.securityGroups[id]?.rules ?? [] {
                if let remote = RemoteGroup(rule) { needed.insert(remote) }
            }
        }
        for (remote, sets) in remotes where !needed.contains(remote) {
            table.setElements(of: sets, to: nil)
            remotes[remote] = nil
        }
        for remote in needed where remotes[remote] == nil {
            let sets = RemoteGroupSets(remote)
            table.setElements(of: nil, to: sets)
            remotes[remote] = sets
        }
    }

    /// Whether a set came or went, which rules must name.
    private mutating func updateRemotes() -> Bool {
        var haveNamesChanged = false
        for remote in Array(remotes.keys) {
            guard var sets = remotes.removeValue(forKey: remote) else { continue }
            let names = sets.names
            if sets.update(view) {
                table.setElements(of: nil, to: sets)
                if sets.names != names {
                    haveNamesChanged = true
                    table.removeSets(Set(names).subtracting(sets.names))
                }
            }
            remotes[remote] = sets
        }
        return haveNamesChanged
    }
}
