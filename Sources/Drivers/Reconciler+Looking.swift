import Glibc
import KernelInterface

/// What must be read in one namespace before it can be planned: a value, so that many are read side by side.
private struct Look: Sendable {
    enum Kind: Sendable {
        case observe
        /// The links again, of what is known otherwise; everything when one of ours is not as it was left.
        case refreshLinks(NamespaceObservation)
        /// Nothing, or the generation of the ruleset.
        case trust(NamespaceObservation)
    }

    var place: NamespaceName?
    var wanted: NamespaceConfiguration
    var kind: Kind
    /// Before elements are changed: tables that somebody else touched are replaced as a whole.
    var needsGeneration = false

    func run(_ kernel: any NetworkKernel) -> Result<NamespaceObservation, KernelError> {
        do throws(KernelError) { return .success(try read(kernel)) } catch { return .failure(error) }
    }

    /// What somebody else did, as far as this look can tell.
    func findings(left: NamespaceObservation, found: NamespaceObservation) -> [String] {
        switch kind {
        case .trust: needsGeneration ? Findings.firewall(left, found) : []
        case .refreshLinks: Findings.links(left, found)
        case .observe: Findings.sentences(left: left, found: found)
        }
    }

    private func read(_ kernel: any NetworkKernel) throws(KernelError) -> NamespaceObservation {
        let observer = Observer(kernel: kernel)
        var known: NamespaceObservation
        switch kind {
        case .observe: return try observer.observe(place, for: wanted)
        case .refreshLinks(let before):
            guard let refreshed = try observer.refreshLinks(of: before, in: place) else { return try observer.observe(place, for: wanted) }
            known = refreshed
        case .trust(let before): known = before
        }
        if needsGeneration { known.firewallGeneration = try kernel.firewallGeneration(in: place) }
        return known
    }
}

extension Reconciler {
    /// Reads the namespaces, side by side, into the observation.
    func look(
        at places: [NamespaceName?], _ desired: HostConfiguration, _ mode: Mode, _ observation: inout HostObservation,
        _ report: inout ApplyReport
    ) {
        let looks = places.compactMap { place -> Look? in
            if let place, !observation.namespaces.contains(place) { return nil }
            return configuration(place, desired).map { look(at: place, $0, mode) }
        }
        let results = Parallel.map(looks, width: width) { [kernel] in $0.run(kernel) }
        for (look, result) in zip(looks, results) {
            if case .success(let found) = result, let generation = found.firewallGeneration { accounts(for: generation, in: look.place) }
            if case .success(let found) = result, let before = left[look.place] {
                report.add(findings: look.findings(left: before, found: found), in: look.place)
            }
            settle(look.place, look.wanted, result, &observation, &report)
        }
    }

    private func settle(
        _ place: NamespaceName?, _ wanted: NamespaceConfiguration, _ result: Result<NamespaceObservation, KernelError>,
        _ observation: inout HostObservation,
        _ report: inout ApplyReport
    ) {
        switch result {
        case .success(let contents):
            suspectLinks.remove(place)
            if place != nil, firewall[place] == nil { firewall[place] = FirewallMark.memory(of: wanted.firewall, in: contents) }
            var contents = contents
            readFirewallContents(place, wanted, &contents)
            observation.contents[place] = contents
        case .failure(let error):
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

    /// What a table holds matters where it is not known from what was loaded: then it is filled anew.
    private func readFirewallContents(_ place: NamespaceName?, _ wanted: NamespaceConfiguration, _ found: inout NamespaceObservation) {
        found.firewallContents = [:]
        guard firewall[place] == nil || firewall[place]?.generation != found.firewallGeneration,
            wanted.firewall.contains(where: { found.firewallTables.contains($0.identity) })
        else { return }
        // Without them the tables are replaced as a whole.
        found.firewallContents = (try? kernel.firewallContents(in: place)) ?? [:]
    }

    private func look(at place: NamespaceName?, _ wanted: NamespaceConfiguration, _ mode: Mode) -> Look {
        guard mode == .changed, var known = believed[place], isEnough(known, place, wanted) else {
            return Look(place: place, wanted: wanted, kind: .observe)
        }
        let needsGeneration = wanted.firewall != firewall[place]?.tables ?? []
        if suspectLinks.contains(place) {
            return Look(place: place, wanted: wanted, kind: .refreshLinks(known), needsGeneration: needsGeneration)
        }
        assumeForeignLinks(place, wanted, &known)
        return Look(place: place, wanted: wanted, kind: .trust(known), needsGeneration: needsGeneration)
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
}
