import APISchema
import AccessPolicy
import NetworkModel

extension ListQuery {
    private static let shared = "shared"

    /// The query with conditions on `shared` as clients are shown it: whether there is a grant to the caller's project, or to every one. A subnet is
    /// shared with its network.
    func askingGrants<R: ManagedResource>(of type: R.Type, to caller: Caller) -> ListQuery {
        guard filteredAttributes.contains(Self.shared) else { return self }
        var query = self
        if R.isGranted(.shared) {
            query.filters = filters.map { filter in
                guard case .column(Self.shared, let values) = filter else { return filter }
                return Self.filter(shared: values, "id", to: caller)
            }
        } else if let texts = computed[Self.shared], let network = R.policyParents.first(where: { $0.table == Network.table.plural }) {
            query.computed[Self.shared] = nil
            query.filters.append(Self.filter(shared: texts.compactMap(Bool.filterValue), network.column, to: caller))
        }
        return query
    }

    private static func filter(shared values: [ColumnValue], _ column: String, to caller: Caller) -> Filter {
        let granted = VisibilityFilter.grant(.shared, column, to: caller)
        let alternatives = [(true, granted), (false, Filter.not([granted]))]
        return .any(alternatives.filter { values.contains($0.0.columnValue) }.map(\.1))
    }
}
