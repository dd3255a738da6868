import Addressing
import KernelInterface

/// Computes the smallest set of operations that turns a found host into the wanted one, in this order:
///
///     make way          links whose kind cannot be changed, and what else stands where something new must be
///     namespaces        made
///     sysctls           those that new links inherit
///     firewall          of namespaces without one: what must not be said by a new link
///     links             made: bridges, tunnels, veth pairs; sysctls of links while they are down; changes, such as up
///     detach            foreign links leave their bridge before the rules that name them go
///     firewall          one transaction for each namespace
///     attach            foreign links enter their bridge: never before the rules that name them are loaded
///     addresses, forwarding entries, neighbours, routes, rules of routing, announcements
///     (daemons)         started and stopped by ``DaemonSupervisor``
///     remove            the same in reverse: rules, routes, neighbours, forwarding entries, addresses, tables, links, namespaces
///
/// Pure: the same values give the same plan. Only namespaces that were looked into are planned, and those that must be made.
public struct Planner {
    let desired: HostConfiguration
    let observed: HostObservation
    /// What was last applied to the firewall of a namespace by this process.
    let firewall: [NamespaceName?: FirewallMemory]
    var links = LinkPlan()
    var phases = Phases()
    var plan = Plan()

    public static func plan(
        desired: HostConfiguration, observed: HostObservation, firewall: [NamespaceName?: FirewallMemory] = [:]
    ) -> Plan {
        var planner = Planner(desired: desired, observed: observed, firewall: firewall)
        planner.run()
        return planner.plan
    }

    private init(desired: HostConfiguration, observed: HostObservation, firewall: [NamespaceName?: FirewallMemory]) {
        self.desired = desired
        self.observed = observed
        self.firewall = firewall
    }

    private mutating func run() {
        places = plannedPlaces()
        planNamespaces()
        planLinks()
        for place in places {
            planSysctls(place)
            planFirewall(place)
            planAddresses(place)
            planForwarding(place)
            planNeighbours(place)
            planRoutes(place)
            planRules(place)
        }
        plan.build = phases.build
        plan.remove = phases.remove
    }

    // MARK: Namespaces

    /// Namespaces of ours that exist and are not wanted.
    var removedNamespaces: Set<NamespaceName> {
        observed.namespaces.filter { Ownership.owns($0) && desired.namespaces[$0] == nil }
    }

    func isMade(_ place: NamespaceName?) -> Bool {
        guard let place else { return false }
        return !observed.namespaces.contains(place) || observed.broken.contains(place)
    }

    /// The wanted namespaces that are planned: the agent's own first, then by name.
    private(set) var places: [NamespaceName?] = []

    private func plannedPlaces() -> [NamespaceName?] {
        var places: [NamespaceName?] = observed.contents[nil] == nil ? [] : [nil]
        places += desired.namespaces.keys.sorted().filter { isMade($0) || observed.contents[$0] != nil }.map(Optional.some)
        return places
    }

    /// The agent's own first, then by name.
    static func sorted(_ places: Set<NamespaceName?>) -> [NamespaceName?] {
        let named = places.compactMap { $0 }.sorted().map(Optional.some)
        return places.contains(nil) ? [nil] + named : named
    }

    func configuration(_ place: NamespaceName?) -> NamespaceConfiguration {
        guard let place else { return desired.own }
        return desired.namespaces[place] ?? NamespaceConfiguration()
    }

    func observation(_ place: NamespaceName?) -> NamespaceObservation {
        if isMade(place) { return .fresh }
        return observed.contents[place] ?? NamespaceObservation()
    }

    private mutating func planNamespaces() {
        for name in desired.namespaces.keys.sorted() where isMade(name) {
            if observed.broken.contains(name) {
                phases.clear.append(PlannedOperation(.removeNamespace(name), for: .namespace(name), role: .remove))
            }
            phases.namespaces.append(PlannedOperation(.addNamespace(name), for: .namespace(name), role: .make))
            plan.madeNamespaces.insert(name)
        }
        for name in removedNamespaces.sorted() {
            phases.removedNamespaces.append(PlannedOperation(.removeNamespace(name), for: .namespace(name), role: .remove))
        }
    }

    // MARK: Sysctls

    private mutating func planSysctls(_ place: NamespaceName?) {
        let found = observation(place).sysctls
        let missing = plan.missingLinks[place] ?? []
        for (path, value) in configuration(place).sysctls.sorted(by: { $0.key < $1.key }) {
            let link = Sysctl.link(of: path)
            if let link, missing.contains(link) { continue }
            let isRenewed = isMade(place) || link.map { links.isFresh($0, place) } == true
            if !isRenewed, let current = found[path], Sysctl.isKept(path, as: current, value) { continue }
            let operation = KernelOperation.setSysctl(path: path, value: value, place)
            if let link {
                phases.linkSysctls.append(PlannedOperation(operation, for: .link(link, place), role: .make))
            } else {
                phases.sysctls.append(PlannedOperation(operation, for: .namespace(place), role: .make))
            }
        }
    }

    // MARK: Firewall

    private mutating func planFirewall(_ place: NamespaceName?) {
        let found = observation(place)
        let memory = isMade(place) ? nil : firewall[place]
        let wanted = configuration(place).firewall
        if let step = FirewallPlan.step(
            to: wanted, from: memory, tables: found.firewallTables, contents: found.firewallContents,
            generation: found.firewallGeneration, isMarked: place != nil)
        {
            let operation = PlannedOperation(
                .applyFirewall(script: step.script, place), for: .firewall(place), role: .make,
                fallback: step.fallback.map { .applyFirewall(script: $0, place) })
            // Devices speak as soon as they are up: where no ruleset is loaded yet, it comes before them. Only tables of the family netdev need
            // theirs to be there.
            let isFirst = !wanted.contains { found.firewallTables.contains($0.identity) || $0.family == .netdev }
            if place != nil, isFirst {
                phases.firstFirewall.append(operation)
            } else {
                phases.firewall.append(operation)
            }
        }
        let kept = Set(wanted.map(\.identity))
        // A mark goes with the next script; without tables there is nothing to mark.
        let removed = found.firewallTables.filter {
            Ownership.owns(table: $0) && !kept.contains($0) && (wanted.isEmpty || !FirewallMark.isMark($0))
        }
        if !removed.isEmpty {
            let script = FirewallScript.deletion(of: removed.sorted())
            phases.removedTables.append(PlannedOperation(.applyFirewall(script: script, place), for: .firewall(place), role: .remove))
        }
    }
}

/// The operations of a plan by phase.
struct Phases {
    var clear: [PlannedOperation] = []
    var namespaces: [PlannedOperation] = []
    var sysctls: [PlannedOperation] = []
    /// Of namespaces that have none yet.
    var firstFirewall: [PlannedOperation] = []
    var bridges: [PlannedOperation] = []
    var tunnels: [PlannedOperation] = []
    var pairs: [PlannedOperation] = []
    var linkSysctls: [PlannedOperation] = []
    var changes: [PlannedOperation] = []
    var detachments: [PlannedOperation] = []
    var firewall: [PlannedOperation] = []
    var attachments: [PlannedOperation] = []
    var addresses: [PlannedOperation] = []
    var forwarding: [PlannedOperation] = []
    var neighbours: [PlannedOperation] = []
    var routes: [PlannedOperation] = []
    var rules: [PlannedOperation] = []
    var announcements: [PlannedOperation] = []

    var removedRules: [PlannedOperation] = []
    var removedRoutes: [PlannedOperation] = []
    var removedNeighbours: [PlannedOperation] = []
    var removedForwarding: [PlannedOperation] = []
    var removedAddresses: [PlannedOperation] = []
    var removedTables: [PlannedOperation] = []
    var removedPairs: [PlannedOperation] = []
    var removedTunnels: [PlannedOperation] = []
    var removedBridges: [PlannedOperation] = []
    var removedNamespaces: [PlannedOperation] = []

    var build: [PlannedOperation] {
        let made = clear + namespaces + sysctls + firstFirewall + bridges + tunnels + pairs + linkSysctls + changes
        return made + detachments + firewall + attachments + addresses + forwarding + neighbours + routes + rules + announcements
    }

    var remove: [PlannedOperation] {
        let traffic = removedRules + removedRoutes + removedNeighbours + removedForwarding + removedAddresses + removedTables
        return traffic + removedPairs + removedTunnels + removedBridges + removedNamespaces
    }
}
