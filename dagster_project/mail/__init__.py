"""Mail on closing a period, and alerts: settings, messages, sending, and the record of both."""
