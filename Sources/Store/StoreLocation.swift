/// Where the state of the cloud's networks is kept.
public enum StoreLocation: Sendable, Hashable {
    /// A SQLite file; made when it does not exist. Its directory must exist.
    case sqlite(path: String)
    /// A connection string of libpq: `postgresql://user@host/database`.
    case postgresql(url: String)

    /// Reads what `--database` was given: a path, `sqlite:///path` or `postgresql://…`.
    ///
    /// As in SQLAlchemy's URLs, `sqlite:///name` is relative and `sqlite:////name` absolute. Nil for another scheme.
    public init?(_ text: String) {
        if text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") {
            self = .postgresql(url: text)
        } else if text.hasPrefix("sqlite:///") {
            let path = String(text.dropFirst("sqlite:///".count))
            guard !path.isEmpty else { return nil }
            self = .sqlite(path: path)
        } else {
            guard !text.isEmpty, !text.contains("://") else { return nil }
            self = .sqlite(path: text)
        }
    }
}

extension StoreLocation: CustomStringConvertible {
    /// For messages: a password in the URL is left out.
    public var description: String {
        switch self {
        case .sqlite(let path): return path
        case .postgresql(let url):
            let start = url.index(url.startIndex, offsetBy: url.hasPrefix("postgres://") ? 11 : 13, limitedBy: url.endIndex) ?? url.endIndex
            guard let at = url[start...].lastIndex(of: "@"),
                let colon = url[start..<at].firstIndex(of: ":")
            else { return url }
            return String(url[..<colon] + url[at...])
        }
    }
}
