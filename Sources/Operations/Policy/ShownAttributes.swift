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
    /// - Parameter fields: the names that the request wants; empty: all.
    public func shownAttributes<R: ManagedResource>(
        of resources: [R], fields: Set<String> = [], caller: Caller
    ) async throws -> ShownAttributes {
        var common = R.table.selection(fields: fields)
        var open: [(position: Int, check: PolicyCheck)] = []
        for (name, check) in policy.rules(for: caller).hiddenAttributes(of: R.policyName) {
            guard let position = R.table.positions[name], common.contains(position) else { continue }
            if check == .never { common.remove(position) } else { open.append((position, check)) }
        }
        guard !open.isEmpty, !resources.isEmpty else { return ShownAttributes(common: common) }
        let (shared, asked) = (common, open)
        return try await read(caller) { verb in
            var shown = ShownAttributes(common: shared)
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
