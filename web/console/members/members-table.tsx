import { useRef } from "react";

import { cell, Table, Time } from "../ui/table";
import type { AttributeKey } from "./condition";
import type { MemberRow } from "./documents";
import style from "./members.module.css";
import type { Selection } from "./selection";
import { AttributeValue } from "./value";

interface Properties {
  members: MemberRow[];
  columns: AttributeKey[];
  /** The time in the last column. */
  time: "createdAt" | "updatedAt";
  /** The id of the member in the panel. */
  current: string | null;
  addressOf: (memberId: string) => string;
  /** null if the token may not select members. */
  selection: Selection | null;
}

export function MembersTable({ members, columns, time, current, addressOf, selection }: Properties) {
  // A click with Shift selects the range from the last clicked box.
  const lastRow = useRef(-1);
  const select = (row: number, on: boolean, shift: boolean) => {
    const from = shift && lastRow.current >= 0 ? lastRow.current : row;
    const range = members.slice(Math.min(from, row), Math.max(from, row) + 1);
    // Deselecting a member while all are selected leaves the other members of the page selected.
    if (selection?.all) selection.selectOnly(members.filter((member) => !range.includes(member)));
    else selection?.select(range, on);
    lastRow.current = row;
  };
  return (
    <Table label="Members">
      <thead>
        <tr>
          {selection && (
            <th scope="col" className={style.box}>
              <PageBox members={members} selection={selection} />
            </th>
          )}
          <th scope="col">Ref</th>
          {columns.map(({ key, type }) => (
            <th key={key} scope="col" className={type === "NUMBER" ? cell.number : undefined}>
              {key}
            </th>
          ))}
          <th scope="col" className={`${cell.wide} ${style.time}`}>
            {time === "updatedAt" ? "Updated" : "Created"}
          </th>
        </tr>
      </thead>
      <tbody>
        {members.map((member, row) => (
          <tr key={member.id} data-current={member.id === current || undefined}>
            {selection && (
              <td className={style.box}>
                <label>
                  <input
                    type="checkbox"
                    aria-label={`Select ${member.ref}`}
                    checked={selection.has(member.id)}
                    onChange={(event) =>
                      select(row, event.target.checked, (event.nativeEvent as MouseEvent).shiftKey === true)
                    }
                  />
                </label>
              </td>
            )}
            <td>
              <a
                className={style.ref}
                href={addressOf(member.id)}
                title={member.ref}
                data-member={member.id}
                aria-current={member.id === current ? "true" : undefined}
              >
                {member.ref}
              </a>
            </td>
            {columns.map(({ key, type }) => (
              <td key={key} className={type === "NUMBER" ? cell.number : undefined}>
                <div className={style.value}>
                  <AttributeValue value={member.attributes[key]} type={type} />
                </div>
              </td>
            ))}
            <td className={`${cell.soft} ${cell.wide} ${style.time}`}>
              <Time value={member[time]} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

function PageBox({ members, selection }: { members: MemberRow[]; selection: Selection }) {
  const selected = members.filter(({ id }) => selection.has(id)).length;
  return (
    <label>
      <input
        type="checkbox"
        aria-label="Select this page"
        ref={(box) => {
          if (box) box.indeterminate = selected > 0 && selected < members.length;
        }}
        checked={selected === members.length}
        onChange={(event) => (selection.all ? selection.clear() : selection.select(members, event.target.checked))}
      />
    </label>
  );
}
