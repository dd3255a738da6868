import Glibc
import KernelInterface

/// Makes a host what its configuration says, cycle by cycle, and repairs what others break.
///
/// Between cycles it remembers what each namespace must look like by what it did there. Memory of a namespace is dropped when an operation
/// failed in it or an event says that it changed; it is then read anew:
///
///               observe, plan, perform
///     unknown -------------------------> believed
///        ^                                  |
///        +--- failure, markDirty, full -----+
///
/// Not thread-safe and blocking: it belongs to the agent's cycle thread.
public final class Reconciler {
    public enum Mode: Hashable, Sendable {
        /// Looks at everything: the first cycle and the periodic repair.
        case full
        /// Trusts what was applied last and looks only where a failure or an event gives a reason: the cost follows the change.
        case changed
    }

    /// Plans for one cycle: operations may have effects that only a second look shows. What is left then waits for the next cycle.
    public static let maximumPasses = 3

    private let kernel: any NetworkKernel
    private let supervisor: DaemonSupervisor
    /// What each namespace holds if nobody interfered; without an entry it is unknown.
    private var believed: [NamespaceName?: NamespaceObservation] = [:]
    private var firewall: [NamespaceName?: FirewallMemory] = [:]
    /// The last configuration, and the namespaces of ours that existed after it. Nil before the first cycle.
    private var last: (desired: HostConfiguration, namespaces: Set<NamespaceName>)?
    private var suspectLinks: Set<NamespaceName?> = []
    private var missing: [NamespaceName?: Set<String>] = [:]

    /// `stateDirectory` is where daemons are registered (see ``DaemonSupervisor``); `clock` gives monotonic milliseconds.
    public init(
        kernel: any NetworkKernel, processes: any ProcessHost, stateDirectory: String, clock: @escaping () -> Int
    ) {
        self.kernel = kernel
        supervisor = DaemonSupervisor(host: processes, stateDirectory: stateDirectory, clock: clock)
    }

    /// The next cycle reads everything in the namespace (nil: the agent's own).
    public func markDirty(_ namespace: NamespaceName?) {
        believed[namespace] = nil
    }

    /// The next cycle reads the links of the namespace, and the rest only if one of ours is not as it was left: what a link event asks for.
    public func markLinksDirty(_ namespace: NamespaceName?) {
        suspectLinks.insert(namespace)
    }

    /// The next cycle looks at the daemon: what the end of a process asks for.
    public func markDaemonDirty(_ key: String) {
        supervisor.markDirty(key)
    }

    /// Does not start a daemon that has ended before so many milliseconds have passed or it is released.
    public func hold(_ key: String, milliseconds: Int) { supervisor.hold(key, milliseconds: milliseconds) }
    public func release(_ key: String) { supervisor.release(key) }

    /// The processes of the daemons that ran when they were last looked at, by key: whose end is worth waiting for.
    public var daemonProcesses: [String: Int32] { supervisor.processes }

    /// Looks for rulesets that somebody else changed since they were written: a system call for each namespace that has one.
    ///
    /// - Returns: whether the next cycle has something to repair.
    public func findChangedFirewalls() -> Bool {
        var isAnyChanged = false
        for (place, memory) in firewall {
            guard let generation = try? kernel.firewallGeneration(in: place), generation != memory.generation else { continue }
            believed[place] = nil
            isAnyChanged = true
        }
        return isAnyChanged
    }

    /// Runs one cycle. Never throws: what could not be done is in the report, and the next cycle tries again.
    public func apply(_ desired: HostConfiguration, _ requested: Mode) -> ApplyReport {
        var report = ApplyReport()
        let mode: Mode = last == nil ? .full : requested
        var observation = HostObservation()
        do throws(KernelError) {
            observation.namespaces = try namespaces(mode)
        } catch {
            report.add(Failure(.namespace(nil), error.description))
            return report
        }
        let places = placesToPlan(desired, mode)
        for place in places { look(at: place, desired, mode, &observation, &report) }
        perform(desired, mode, observation, &report)
        return report
    }

    private func namespaces(_ mode: Mode) throws(KernelError) -> Set<NamespaceName> {
        if mode == .changed, let last { return last.namespaces }
        return try kernel.namespaces()
    }

    /// In a `.changed` cycle: where the configuration changed, where the memory is gone, and where links are suspect.
    private func placesToPlan(_ desired: HostConfiguration, _ mode: Mode) -> [NamespaceName?] {
        let all: [NamespaceName?] = [nil] + desired.namespaces.keys.sorted().map(Optional.some)
        guard mode == .changed, let last else { return all }
        return all.filter { place in
            if believed[place] == nil || suspectLinks.contains(place) { return true }
            return configuration(place, desired) != configuration(place, last.desired)
        }
    }

    private func configuration(_ place: NamespaceName?, _ desired: HostConfiguration) -> NamespaceConfiguration? {
        place.map { desired.namespaces[$0] } ?? desired.own
    }

    // MARK: Looking

    private func look(
        at place: NamespaceName?, _ desired: HostConfiguration, _ mode: Mode, _ observation: inout HostObservation,
        _ report: inout ApplyReport
    ) {
        if let place, !observation.namespaces.contains(place) { return }
        guard let wanted = configuration(place, desired) else { return }
        do throws(KernelError) {
            observation.contents[place] = try contents(of: place, wanted, mode)
            suspectLinks.remove(place)
        } catch {
            if let place, Observer.isBroken(error) {
                observation.broken.insert(place)
            } else if let place, error.code == ENOENT {
                observation.namespaces.remove(place)
            } else {
                believed[place] = nil
                report.add(Failure(.namespace(place), error.description))
            }
        }
    }

    private func contents(
        of place: NamespaceName?, _ wanted: NamespaceConfiguration, _ mode: Mode
    ) throws(KernelError) -> NamespaceObservation {
        let observer = Observer(kernel: kernel)
        guard mode == .changed, var known = believed[place], isEnough(known, place, wanted) else {
            return try observer.observe(place, for: wanted)
        }
        if suspectLinks.contains(place) {
            guard let refreshed = try observer.refreshLinks(of: known, in: place) else { return try observer.observe(place, for: wanted) }
            known = refreshed
        } else {
            assumeForeignLinks(place, wanted, &known)
        }
        // Before elements are changed: a ruleset that somebody else touched is replaced as a whole.
        if wanted.firewall != firewall[place]?.tables ?? [] { known.firewallGeneration = try kernel.firewallGeneration(in: place) }
        return known
    }

    /// A foreign link that is wanted for the first time is taken to exist: trying it is cheaper than listing all links. One that was missing is
    /// tried again when an event says that links changed.
    private func assumeForeignLinks(_ place: NamespaceName?, _ wanted: NamespaceConfiguration, _ known: inout NamespaceObservation) {
        for (name, link) in wanted.links where link.kind == .foreign && known.links[name] == nil {
            if missing[place]?.contains(name) == true { continue }
            known.links[name] = Link(name: name, kind: .foreign, isUp: !link.isUp)
        }
    }

    /// Addresses of a link that was not ours to manage before are not in the memory.
    private func isEnough(_ known: NamespaceObservation, _ place: NamespaceName?, _ wanted: NamespaceConfiguration) -> Bool {
        guard let before = last.flatMap({ configuration(place, $0.desired) }) else { return false }
        return wanted.managesAddresses.subtracting(before.managesAddresses).allSatisfy { known.links[$0] == nil }
    }

    // MARK: Doing

    private func perform(
        _ desired: HostConfiguration, _ mode: Mode, _ first: HostObservation, _ report: inout ApplyReport
    ) {
        var applier = Applier(kernel: kernel)
        var observation = first
        var absentLinks: [NamespaceName?: Set<String>] = [:]
        var renewed: Set<NamespaceName> = []
        var removals: [PlannedOperation] = []
        var planned: Set<NamespaceName?> = []
        for pass in 1...Self.maximumPasses {
            let plan = Planner.plan(desired: desired, observed: observation, firewall: firewall)
            planned.formUnion(observation.contents.keys)
            planned.formUnion(plan.madeNamespaces.map(Optional.some))
            applier.perform(plan.build)
            absentLinks.merge(plan.missingLinks) { $1 }
            if pass == 1 { renewed = renewedNamespaces(plan, desired) }
            removals = merged(removals, plan.remove, pass: pass, lookedAt: Set(observation.contents.keys))
            remember(desired, applier)
            if plan.lookAgain.isEmpty { break }
            if pass == Self.maximumPasses {
                for place in plan.lookAgain { believed[place] = nil }
                planned.subtract(plan.lookAgain)
                break
            }
            observation = again(plan.lookAgain, desired, observation, applier, &report)
            planned.subtract(plan.lookAgain)
        }
        supervise(desired, mode, applier, renewed, &report)
        applier.perform(removals)
        remember(desired, applier)
        conclude(desired, first.namespaces, planned, absentLinks, applier, &report)
    }

    /// Removals of a later pass take the place of earlier ones for the namespaces that were looked at again.
    private func merged(
        _ earlier: [PlannedOperation], _ later: [PlannedOperation], pass: Int, lookedAt: Set<NamespaceName?>
    ) -> [PlannedOperation] {
        if pass == 1 { return later }
        func removesNamespace(_ planned: PlannedOperation) -> Bool {
            if case .removeNamespace = planned.operation { true } else { false }
        }
        let kept = earlier.filter { !removesNamespace($0) && !lookedAt.contains($0.operation.target.place) }
        let new = later.filter { !removesNamespace($0) }
        return kept + new + earlier.filter(removesNamespace)
    }

    private func again(
        _ places: Set<NamespaceName?>, _ desired: HostConfiguration, _ before: HostObservation, _ applier: Applier,
        _ report: inout ApplyReport
    ) -> HostObservation {
        var next = HostObservation()
        next.namespaces = before.namespaces.union(desired.namespaces.keys)
        for place in places {
            if let place, applier.failedNamespaces.contains(place) { continue }
            look(at: place, desired, .full, &next, &report)
        }
        next.broken = []
        return next
    }

    /// Namespaces whose daemons hold what is gone: made in this cycle, or a link in them was there before and is made anew. A process that was
    /// just started does not know which links were there; it takes them all to have been.
    private func renewedNamespaces(_ plan: Plan, _ desired: HostConfiguration) -> Set<NamespaceName> {
        var renewed = plan.madeNamespaces
        for (namespace, links) in plan.madeLinks {
            guard let last else {
                renewed.insert(namespace)
                continue
            }
            if last.desired.namespaces[namespace].map({ $0.links.keys.contains(where: links.contains) }) == true {
                renewed.insert(namespace)
            }
        }
        return renewed
    }

    private func supervise(
        _ desired: HostConfiguration, _ mode: Mode, _ applier: Applier, _ renewed: Set<NamespaceName>, _ report: inout ApplyReport
    ) {
        let unready = applier.failedNamespaces.union(applier.failedLinks.compactMap(\.place))
        supervisor.apply(
            desired.daemons, isFull: mode == .full, restartingIn: renewed, holdingIn: unready, report: &report)
    }

    // MARK: Remembering

    /// Where the ruleset was changed: the generation that is ours. Where that failed: nothing is known.
    private func remember(_ desired: HostConfiguration, _ applier: Applier) {
        for place in applier.failedFirewalls { firewall[place] = nil }
        for place in applier.firewallPlaces where !applier.failedFirewalls.contains(place) {
            let tables = configuration(place, desired)?.firewall ?? []
            firewall[place] = (try? kernel.firewallGeneration(in: place)).map { FirewallMemory(tables: tables, generation: $0) }
        }
    }

    private func conclude(
        _ desired: HostConfiguration, _ namespaces: Set<NamespaceName>, _ planned: Set<NamespaceName?>,
        _ absentLinks: [NamespaceName?: Set<String>], _ applier: Applier, _ report: inout ApplyReport
    ) {
        for place in planned {
            let absent = (absentLinks[place] ?? []).union(applier.vanished[place] ?? [])
            missing[place] = absent.isEmpty ? nil : absent
            // Its next cycle looks whether it was the link or its bridge that was not there.
            if applier.vanished[place] != nil { suspectLinks.insert(place) }
            if applier.failedPlaces.contains(place) {
                believed[place] = nil
            } else if let wanted = configuration(place, desired) {
                believed[place] = .expected(after: wanted, missing: absent, generation: firewall[place]?.generation)
            }
        }
        for place in applier.failedPlaces { believed[place] = nil }
        forgetRemoved(desired)
        for links in missing.values { report.missingLinks.formUnion(links) }
        let ours = namespaces.filter { Ownership.owns($0) || desired.namespaces[$0] != nil }
        let failedToGo = ours.filter { desired.namespaces[$0] == nil && applier.failedPlaces.contains($0) }
        let made = Set(desired.namespaces.keys).subtracting(applier.failedNamespaces)
        last = (desired, made.union(failedToGo))
        report.performed += applier.performed
        for failure in applier.failures { report.add(failure) }
    }

    private func forgetRemoved(_ desired: HostConfiguration) {
        func isKept(_ place: NamespaceName?) -> Bool { place.map { desired.namespaces[$0] != nil } ?? true }
        believed = believed.filter { isKept($0.key) }
        firewall = firewall.filter { isKept($0.key) }
        missing = missing.filter { isKept($0.key) }
        suspectLinks = suspectLinks.filter(isKept)
    }
}
