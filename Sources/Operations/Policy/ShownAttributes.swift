import APISchema
import AccessPolicy
import NetworkModel
import Store

/// Which attributes of some resources an answer has: those that the request names, without those that the caller may not see.
public struct ShownAttributes: Sendable {
    let common: AttributeSelection
    /// Of resources with others, where a rule depends on the resource.
    var others: [ResourceID: AttributeSelection] = [:]

    public subscript(id: ResourceID) -> AttributeSelection { others.isEmpty ? common : others[id] ?? common }
}

extension Operations {
    /// Decides once for all resources of an answer, and for each only where a rule needs it.
    ///
    /// - Parameters:
    ///   - fields: the names that the request wants; empty: all.
    ///   - areNew: whether the caller just made them. Who may make something need not see it.
    public func shownAttributes<R: ManagedResource>(
        of resources: [R], fields: Set<String> = [], areNew: Bool = false, caller: Caller
    ) async throws -> ShownAttributes {
        var common = R.table.selection(fields: fields)
        var open: [(position: Int, check: PolicyCheck)] = []
        let rules = policy.rules(for: caller)
        let areSeen = !areNew || (rules.seesOwn(R.policyName) && resources.allSatisfy { $0.belongs(to: caller) })
        let hidden = areSeen ? rules.hiddenAttributes(of: R.policyName) : rules.guardedAttributes(of: R.policyName)
        for (name, check) in hidden {
            guard let position = R.table.positions[name], common.contains(position) else { continue }
            if check == .never { common.remove(position) } else { open.append((position, check)) }
        }
        guard !open.isEmpty, !resources.isEmpty else { return ShownAttributes(common: common) }
        let (shared, asked) = (common, open)
        return try await read(caller) { verb in
            var shown = ShownAttributes(common: shared)
            try verb.readParents(of: resources, askedBy: asked.map(\.check))
            for resource in resources {
                let target = ResourceTarget(verb: verb, resource: resource)
                var selection = shared
                for (position, check) in asked where try !check.holds(for: verb.caller, on: target) { selection.remove(position) }
                if selection != shared { shown.others[resource.id] = selection }
            }
            return shown
        }
    }
}

extension ManagedResource {
    fileprivate func belongs(to caller: Caller) -> Bool {
        !caller.projectID.isEmpty && policyValue(of: "project_id") == .string(caller.projectID)
    }
}
