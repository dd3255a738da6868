import APISchema
import AccessPolicy
import NetworkModel
import Store

/// What is left of a rule as a condition of a query: the database picks what the caller may see, so that pages and limits are right without
/// reading what is not shown.
struct VisibilityFilter {
    /// Nil: no condition can be made of it.
    var filter: ListQuery.Filter?
    /// Whether all that passes is what the rule allows. If not, it allows less, and each resource is asked for.
    var isExact: Bool

    init<R: ManagedResource>(_ check: PolicyCheck, of type: R.Type, for caller: Caller) {
        switch check {
        case .always: self.init(nil, isExact: true)
        case .never, .unknown: self.init(.any([]), isExact: true)
        case .all(let checks):
            let parts = checks.map { VisibilityFilter($0, of: R.self, for: caller) }
            let filters = parts.compactMap(\.filter)
            self.init(filters.isEmpty ? nil : .all(filters), isExact: parts.allSatisfy(\.isExact))
        case .any(let checks):
            let parts = checks.map { VisibilityFilter($0, of: R.self, for: caller) }
            let filters = parts.compactMap(\.filter)
            // One alternative without a condition lets everything pass.
            guard filters.count == parts.count else {
                self.init(nil, isExact: parts.contains { $0.filter == nil && $0.isExact })
                return
            }
            self.init(.any(filters), isExact: parts.allSatisfy(\.isExact))
        case .owner(let field):
            let filter = caller.projectID.isEmpty ? .any([]) : Self.condition(field, [.text(caller.projectID)], of: R.self)
            self.init(filter, isExact: filter != nil)
        case .field(let field):
            let filter = Self.condition(field, of: R.self, for: caller)
            self.init(filter, isExact: filter != nil)
        case .not, .rule, .role, .equal: self.init(nil, isExact: false)
        }
    }

    private init(_ filter: ListQuery.Filter?, isExact: Bool) {
        self.filter = filter
        self.isExact = isExact
    }

    private static func condition<R: ManagedResource>(_ field: String, _ values: [ColumnValue], of type: R.Type) -> ListQuery.Filter? {
        if let column = R.table.textColumn(of: field) { return .column(column, values) }
        guard let (parent, name) = R.policyParent(of: field), let column = parent.parentColumn(name) else { return nil }
        return .within(column: parent.column, table: parent.table, key: "id", [.column(column, values)])
    }

    private static func condition<R: ManagedResource>(_ field: PolicyField, of type: R.Type, for caller: Caller) -> ListQuery.Filter? {
        guard case .value(let text) = field.expectation else { return nil }
        let action: RBACAction? = field.name == "shared" ? .shared : field.name == "router:external" ? .external : nil
        if let action {
            // Only what is granted can be listed so; what is not, is asked for each.
            guard Bool.filterValue(text) == true.columnValue else { return nil }
            if R.isGranted(action) { return grant(action, "id", to: caller) }
            return R.policyParents.first { $0.table == Network.table.plural }.map { grant(action, $0.column, to: caller) }
        }
        // A filter finds other spellings of a value as well (`active`), and a rule does not: then each is asked for.
        guard let attribute = R.table[field.name], let column = attribute.column, let value = attribute.filterValue(text),
            field.matches(attribute.policyValue(of: value))
        else { return nil }
        return .column(column.name, [value])
    }

    static func grant(_ action: RBACAction, _ column: String, to caller: Caller) -> ListQuery.Filter {
        .within(
            column: column, table: RBACPolicy.table.plural, key: "object_id",
            [
                .column("action", [action.columnValue]),
                .column("target_tenant", [.text(caller.projectID), .text(RBACPolicy.everyProject)]),
            ])
    }
}
