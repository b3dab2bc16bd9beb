/** Lines of shell that put into a box of `base` what copies lose easily. */
export const fillWithOddFiles = `set -e
mkdir -p /opt/odd/sub; cd /opt/odd
echo content > file; chown 1234:5678 file; chmod 4750 file; ln file other-name; touch -d "2001-02-03 04:05:06" file
mknod null c 1 3; mknod disk b 7 0; mkfifo pipe; ln -s /nowhere link; chown -h 7:8 link
truncate -s 64M holes; echo end >> holes
mkdir -m 1777 sticky; mkdir "ä b"; printf x > "$(printf 'not\\377utf8')"; touch empty
echo mine > /etc/motd; rm /bin/wget; echo kept > /tmp/kept`;

/** Lines of shell that tell all of it. */
export const oddFiles = `cd /opt/odd; stat -c '%N %F %u:%g %a %t,%T' *; stat -c '%n %h %s %Y' file other-name; stat -c '%n %s' holes empty
md5sum holes; test $(du -k holes | cut -f1) -lt 1024 && echo sparse
cat file other-name /etc/motd /tmp/kept; ls /bin/wget 2>&1; true`;
