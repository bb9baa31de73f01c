"""Sending by SMTP: connection, encryption, sign-in.

Belongs here: the protocol, by Python's smtplib. Does not: messages, and whether one was sent.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from dagster_project.errors import ApportionError
from dagster_project.mail.settings import LOGIN_VARIABLE, MailServer, ca_file, password


class MailNotSent(ApportionError):
    """The mail server refused a message or could not be reached: the message was not sent."""


class MailOutcomeUnknown(ApportionError):
    """The connection ended while a message was sent: the server may have accepted it."""


@contextmanager
def connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    """A signed-in connection, encrypted unless `security` is none. Raises MailNotSent."""
    place = f"{server.host}:{server.port_used}"
    try:
        connection = _signed_in(server)
    except (OSError, smtplib.SMTPException) as error:
        raise MailNotSent(f"the mail server {place} cannot be used: {_reason(error)}") from error
    try:
        yield connection
    finally:
        # A server that hangs up first has accepted or refused everything already.
        try:
            connection.quit()
        except (OSError, smtplib.SMTPException):
            connection.close()


def _signed_in(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if (authorities := ca_file()) is not None:
        context.load_verify_locations(authorities)
    timeout = server.timeout_seconds
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port_used, timeout=timeout, context=context
        )
    else:
        connection = smtplib.SMTP(server.host, server.port_used, timeout=timeout)
    try:
        if server.security == "starttls":
            connection.starttls(context=context)
        if server.user is not None:
            secret = password()
            if secret is None:
                raise MailNotSent(f"the mail server needs a password: set {LOGIN_VARIABLE}")
            connection.login(server.user, secret)
    except BaseException:
        connection.close()
        raise
    return connection


def send(connection: smtplib.SMTP, message: EmailMessage) -> None:
    """Send one message to its one recipient. Raises MailNotSent and MailOutcomeUnknown."""
    try:
        connection.send_message(message)
    except smtplib.SMTPServerDisconnected as error:
        raise MailOutcomeUnknown(
            f"the connection ended while the message to {message['To']} was sent"
        ) from error
    except smtplib.SMTPException as error:
        raise MailNotSent(f"{message['To']}: {_reason(error)}") from error
    except OSError as error:
        raise MailOutcomeUnknown(
            f"the connection failed while the message to {message['To']} was sent: {error}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        (code, answer) = next(iter(error.recipients.values()))
        return f"{code} {answer.decode('utf-8', 'replace')}"
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return f"{error.smtp_code} {words}"
    return str(error)
