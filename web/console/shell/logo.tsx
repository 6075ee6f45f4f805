import style from "./logo.module.css";

export function Logo() {
  return (
    <div className={style.logo}>
      <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" fill="#3d4f9f" />
        <path d="M7 23V9h4l5 7 5-7h4v14h-4v-8l-5 7-5-7v8z" fill="#fff" />
      </svg>
      <span>Memberbase</span>
    </div>
  );
}
