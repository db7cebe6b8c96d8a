export function Logo({ size = 24, alt = "" }: { size?: number; alt?: string }) {
  return <img src="/favicon.svg" width={size} height={size} alt={alt} />;
}
